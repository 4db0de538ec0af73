#include "common/commit/control_block.h"

#include "common/base/bytes.h"
#include "common/commit/checksum.h"
#include "common/commit/frame_buffer.h"

namespace mailstead::commit {
namespace {

constexpr std::string_view kMagic = "MSCTRL01";

}  // namespace

std::string encode_control_block(const ControlBlock& control) {
    ByteWriter out;
    out.raw(kMagic);
    out.fixed64(control.generation);
    out.fixed64(control.seed);
    out.fixed64(control.segment_size);
    out.fixed64(control.next_batch);
    out.fixed64(control.start.segment);
    out.fixed64(control.start.offset);
    out.fixed64(control.start.sequence);
    out.string(control.boot_id);
    out.boolean(control.suspect);
    out.boolean(control.clean);
    out.boolean(control.recovering);
    out.fixed64(control.newest_segment);
    out.fixed64(control.segment_files);
    std::string block = out.take();
    block.resize(kBlock - 8, '\0');
    ByteWriter sum;
    sum.fixed64(checksum(block, 0));
    return block + sum.bytes();
}

std::optional<ControlBlock> decode_control_block(std::string_view block) {
    if (block.size() != kBlock) return std::nullopt;
    ByteReader sum(block.substr(kBlock - 8));
    if (sum.fixed64() != checksum(block.substr(0, kBlock - 8), 0)) return std::nullopt;
    ByteReader in(block);
    if (in.raw(kMagic.size()) != kMagic) return std::nullopt;
    ControlBlock control;
    control.generation = in.fixed64();
    control.seed = in.fixed64();
    control.segment_size = in.fixed64();
    control.next_batch = in.fixed64();
    control.start.segment = in.fixed64();
    control.start.offset = in.fixed64();
    control.start.sequence = in.fixed64();
    control.boot_id = in.string();
    control.suspect = in.boolean();
    control.clean = in.boolean();
    control.recovering = in.boolean();
    control.newest_segment = in.fixed64();
    control.segment_files = in.fixed64();
    if (!in.ok()) return std::nullopt;
    return control;
}

std::optional<ControlBlock> newest_control_block(std::string_view file) {
    std::optional<ControlBlock> newest;
    for (std::size_t at = 0; at + kBlock <= file.size() && at < 2 * kBlock; at += kBlock) {
        auto control = decode_control_block(file.substr(at, kBlock));
        if (control && (!newest || control->generation > newest->generation)) newest = std::move(control);
    }
    return newest;
}

}  // namespace mailstead::commit
