// One message on its way in: its bytes, and the checks that run beside them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/smtp/chunk.h"
#include "common/smtp/data_decoder.h"
#include "smtpd/session/body.h"
#include "smtpd/session/verification.h"

namespace mailstead::smtpd {

class Intake {
public:
    // `verification` may be null: nothing is checked.
    Intake(const Spool& spool, MemoryBudget& budget, std::shared_ptr<Verification> verification);

    // False: no memory left.
    bool open(std::optional<std::uint64_t> expected) { return body_.open(expected); }

    // Each consumes from `in` and returns how much of it belonged to the message.
    std::size_t data(std::string_view in, const smtp::BodyLimits& limits);
    bool data_done() const { return data_ && data_->done(); }
    void begin_chunk(std::uint64_t octets, bool last, const smtp::BodyLimits& limits);
    std::size_t chunk(std::string_view in);
    bool chunk_complete() const { return chunks_ && chunks_->chunk_complete(); }
    // After the last byte.
    void finish();

    std::optional<smtp::BodyFault> fault() const;
    // What the file system said, when a body could not be kept.
    const std::optional<SpoolError>& error() const { return error_; }
    Body& body() { return body_; }
    Verification* verification() { return verification_.get(); }

private:
    std::string& sink();
    void took_piece();

    Body body_;
    std::shared_ptr<Verification> verification_;
    std::optional<smtp::DataDecoder> data_;
    std::optional<smtp::ChunkDecoder> chunks_;
    std::optional<SpoolError> error_;
    std::string scrap_;  // after an error
    bool header_seen_ = false;
};

}  // namespace mailstead::smtpd
