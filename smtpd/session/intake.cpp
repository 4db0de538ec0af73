#include "smtpd/session/intake.h"

namespace mailstead::smtpd {

Intake::Intake(const Spool& spool, MemoryBudget& budget, std::shared_ptr<Verification> verification)
    : body_(spool, budget), verification_(std::move(verification)) {}

// Where decoders write: nothing is kept once it is clear that the message cannot be.
std::string& Intake::sink() {
    if (!error_ && !fault()) return body_.memory();
    scrap_.clear();
    return scrap_;
}

std::optional<smtp::BodyFault> Intake::fault() const {
    if (data_) return data_->fault();
    if (chunks_) return chunks_->fault();
    return std::nullopt;
}

std::size_t Intake::data(std::string_view in, const smtp::BodyLimits& limits) {
    if (!data_) data_.emplace(limits);
    const std::size_t used = data_->feed(in, sink());
    took_piece();
    return used;
}

void Intake::begin_chunk(std::uint64_t octets, bool last, const smtp::BodyLimits& limits) {
    if (!chunks_) chunks_.emplace(limits);
    chunks_->begin_chunk(octets, last);
}

std::size_t Intake::chunk(std::string_view in) {
    const std::size_t used = chunks_->feed(in, sink());
    took_piece();
    return used;
}

void Intake::took_piece() {
    if (error_ || fault()) return;
    body_.look();
    if (body_.header_complete() && verification_) {
        if (!std::exchange(header_seen_, true)) verification_->headers(body_.header());
        const std::string_view fresh = body_.take_body();
        if (!fresh.empty()) verification_->body(fresh);
    }
    if (auto settled = body_.settle(); !settled) error_ = settled.error();
}

void Intake::finish() {
    if (chunks_) {
        chunks_->finish(sink());
        took_piece();
    }
    if (error_ || fault()) return;
    body_.end();
    if (!verification_) return;
    if (!std::exchange(header_seen_, true)) verification_->headers(body_.header());
    verification_->end_of_body();
}

}  // namespace mailstead::smtpd
