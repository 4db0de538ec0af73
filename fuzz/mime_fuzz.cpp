// A message: offsets stay inside, the tree survives encoding, IMAP text is well-formed, and line ends do not
// change its shape.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/base/text.h"
#include "common/mime/address_list.h"
#include "common/mime/charset.h"
#include "common/mime/date_time.h"
#include "common/mime/encoded_word.h"
#include "common/mime/message.h"
#include "common/mime/message_id.h"
#include "common/mime/message_text.h"
#include "common/mime/structure.h"

namespace {

using namespace mailstead;
using namespace mailstead::mime;

void require(bool condition) {
    if (!condition) std::abort();
}

// Takes one IMAP value (list, quoted string, literal, atom) off the front.
void skip_value(std::string_view& s, bool ascii) {
    int depth = 0;
    do {
        require(!s.empty());
        if (s[0] == '(') {
            ++depth;
            s.remove_prefix(1);
        } else if (s[0] == ')') {
            --depth;
            require(depth >= 0);
            s.remove_prefix(1);
        } else if (s[0] == '"') {
            std::size_t i = 1;
            for (; i < s.size() && s[i] != '"'; ++i) {
                require(s[i] != '\r' && s[i] != '\n' && s[i] != '\0');
                require(!ascii || static_cast<unsigned char>(s[i]) < 0x80);
                if (s[i] == '\\') {
                    ++i;
                    require(i < s.size() && (s[i] == '"' || s[i] == '\\'));
                }
            }
            require(i < s.size());
            s.remove_prefix(i + 1);
        } else if (s[0] == '{') {
            const std::size_t end = s.find("}\r\n");
            require(end != std::string_view::npos);
            const auto size = text::parse_number<std::uint32_t>(s.substr(1, end - 1));
            require(size && *size <= s.size() - end - 3);
            require(s.substr(end + 3, *size).find('\0') == std::string_view::npos);
            s.remove_prefix(end + 3 + *size);
        } else {
            const std::size_t end = std::min(s.find_first_of(" ()"), s.size());
            const std::string_view atom = s.substr(0, end);
            require(atom.empty() || atom == "NIL" || text::parse_number<std::uint64_t>(atom));
            s.remove_prefix(end);
        }
        if (depth > 0 && s.starts_with(' ')) s.remove_prefix(1);
    } while (depth > 0);
}

void check_text(std::string_view s, ClientText form) {
    require(!s.empty() && s.front() == '(');
    skip_value(s, form == ClientText::ascii);
    require(s.empty());
}

void check_writers(const Message& message) {
    using Write = bool (*)(std::string&, const Message&, ClientText, PartIndex);
    for (const Write write : {Write(write_envelope), Write(write_body), Write(write_bodystructure)}) {
        std::string ascii, utf8;
        const bool same = write(ascii, message, ClientText::ascii, kRootPart);
        require(write(utf8, message, ClientText::utf8, kRootPart) == same);
        require(!same || ascii == utf8);
        require(text::is_ascii(ascii) && text::is_utf8(utf8));
        check_text(ascii, ClientText::ascii);
        check_text(utf8, ClientText::utf8);
    }
}

void check_tree(const Message& message) {
    const PartTree& tree = message.tree();
    require(tree.size() > 0 && tree.size() <= kMaxParts);
    require(tree[0].header_begin == 0 && tree[0].body_end == message.bytes().size());
    for (PartIndex i = 0; i < tree.size(); ++i) {
        const Part& part = tree[i];
        require(part.header_begin <= part.body_begin && part.body_begin <= part.body_end);
        require(part.body_end <= message.bytes().size());
        require(part.lines <= part.size());
        require((part.kind == PartKind::leaf) == (part.first_child == kNoPart));
        std::uint64_t previous = part.body_begin;
        for (PartIndex child = part.first_child; child != kNoPart; child = tree[child].next_sibling) {
            require(child > i && tree[child].parent == i);
            require(tree[child].header_begin >= previous && tree[child].body_end <= part.body_end);
            previous = tree[child].body_end;
        }
    }
    const auto decoded = PartTree::decode(tree.encode());
    require(decoded && *decoded == tree);
}

std::string shape(const Message& message) {
    std::string out;
    for (PartIndex i = 0; i < message.size(); ++i) {
        out += std::to_string(message.part(i).parent) + message.fields(i).type + '/' +
               message.fields(i).subtype + ' ' + std::to_string(message.part(i).lines) + ';';
    }
    return out;
}

void check_line_ends(std::string_view bytes) {
    std::string lf, crlf;
    for (const char c : bytes) {
        if (c == '\r') continue;
        if (c == '\n') crlf += '\r';
        lf += c;
        crlf += c;
    }
    require(shape(Message::parse(lf)) == shape(Message::parse(crlf)));
}

void check_decoders(std::string_view bytes) {
    for (const auto encoding : {TransferEncoding::base64, TransferEncoding::quoted_printable}) {
        const std::string whole = decode_transfer(bytes, encoding);
        std::string pieces;
        TransferDecoder decoder(encoding);
        for (std::size_t i = 0; i < bytes.size(); i += 3) decoder.decode(bytes.substr(i, 3), pieces);
        decoder.finish(pieces);
        require(bytes.size() > 512 || whole == pieces);  // longer runs of blanks may be let go in between
        require(whole.size() <= bytes.size());
    }
    require(decode_transfer(encode_base64(bytes), TransferEncoding::base64) == bytes);
    require(text::is_utf8(decode_encoded_words(bytes)));
    require(text::is_utf8(fold_for_search(bytes)));
    const std::string folded = fold_for_search(bytes);
    require(fold_for_search(folded) == folded);
    const std::string clean = to_utf8(bytes);
    if (clean.find_first_of("\r\n") == std::string::npos && clean.find("=?") == std::string::npos) {
        require(decode_encoded_words(encode_words(clean, WordPlace::phrase)) == clean);
        require(decode_encoded_words(encode_words(clean, WordPlace::text)) == clean);
    }
    (void)parse_address_list(bytes);
    (void)parse_message_ids(bytes);
    (void)base_subject(bytes);
    if (const auto date = parse_message_date(bytes)) {
        const auto again = parse_message_date(write_message_date(*date));
        require(again && *again == *date);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const Message message = Message::parse(bytes);
    check_tree(message);
    check_writers(message);
    check_line_ends(bytes);
    check_decoders(bytes);
    require(text::is_utf8(preview(message)));
    text_of_message(message, TextScope::whole, [](std::string_view piece) {
        require(text::is_utf8(piece));
        return true;
    });
    return 0;
}
