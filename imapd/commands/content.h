// The parts of a FETCH answer that come out of message files: sent from the file in bounded pieces, or worked
// out on the pool.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/mime/part_tree.h"
#include "common/net/task.h"
#include "common/store/reader.h"
#include "imapd/commands/body_buffer.h"
#include "imapd/proto/fetch_items.h"
#include "imapd/proto/response.h"
#include "imapd/session/file_bytes.h"

namespace mailstead::imapd {

class Session;

namespace commands {

struct Content {
    enum class Kind : std::uint8_t {
        bytes,    // `range` of the file as it is; its literal head is in the text already
        fields,   // header fields of the header in `range`: literal head and all
        decoded,  // a part without its transfer encoding (decoded.h)
        parsed    // whatever the item asks for, from the parsed message: literal head and all
    };
    std::size_t at = 0;  // where in the text of the answer it belongs
    Kind kind = Kind::bytes;
    std::shared_ptr<const store::OpenMessage> file;
    mime::ByteRange range;
    const proto::FetchItem* item = nullptr;
    proto::Utf8 utf8 = proto::Utf8::no;
    mime::TransferEncoding encoding = mime::TransferEncoding::binary;  // of what is to be decoded
};

// What was worked out; `unknown_encoding` when BINARY met a transfer encoding that nobody knows (RFC
// 3516, 4.3).
struct Worked {
    std::string text;
    bool unknown_encoding = false;
};
// Maps and parses the file: not on an io thread.
Worked work_out(const proto::FetchItem& item, const store::OpenMessage& file, proto::Utf8 utf8);

// The parser's word for what a section names of a part; header for HEADER.FIELDS.
mime::SectionText section_text(proto::Section::Text text);

// The value of a HEADER.FIELDS item: literal head and fields of `header`.
void write_fields(std::string& out, const proto::FetchItem& item, std::string_view header);
// A string as literal or "", cut by the item's partial.
void write_bytes(std::string& out, const proto::FetchItem& item, std::string_view bytes);

// One request's answers on their way.
struct Sending {
    explicit Sending(Session& session) : buffer(session) {}
    BodyBuffer buffer;
    bool unknown_encoding = false;  // as above
};

// Sends `text` with the contents in their places. Clears both. False when the client is gone.
net::Task<bool> send_answer(Session& session, std::string& text, std::vector<Content>& contents,
                            Sending& sending);

}  // namespace commands
}  // namespace mailstead::imapd
