#include "common/mailauth/rsa_der.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace mailstead::mailauth {
namespace {

constexpr unsigned char kInteger = 0x02;
constexpr unsigned char kBitString = 0x03;
constexpr unsigned char kObjectId = 0x06;
constexpr unsigned char kSequence = 0x30;
constexpr std::string_view kRsaEncryption = "\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01";  // 1.2.840.113549.1.1.1

// Takes the content of the next element, which must have this tag, off the front. Lengths of at most 64 KiB.
std::optional<std::string_view> take(std::string_view& der, unsigned char tag) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(der[i]); };
    if (der.size() < 2 || byte(0) != tag) return std::nullopt;
    std::size_t size = byte(1);
    std::size_t head = 2;
    if (size >= 0x80) {
        const std::size_t digits = size & 0x7F;
        if (digits == 0 || digits > 2 || der.size() < 2 + digits) return std::nullopt;
        size = byte(2);
        if (digits == 2) size = size << 8 | byte(3);
        head += digits;
    }
    if (size > der.size() - head) return std::nullopt;
    const std::string_view content = der.substr(head, size);
    der.remove_prefix(head + size);
    return content;
}

// A positive INTEGER.
std::optional<std::string_view> take_number(std::string_view& der) {
    auto content = take(der, kInteger);
    if (!content || content->empty() || (content->front() & 0x80) != 0) return std::nullopt;
    content->remove_prefix(std::min(content->find_first_not_of('\0'), content->size()));
    return content;
}

// RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }
std::optional<RsaNumbers> read_numbers(std::string_view content) {
    const auto modulus = take_number(content);
    const auto exponent = take_number(content);
    if (!modulus || !exponent) return std::nullopt;
    return RsaNumbers{*modulus, *exponent};
}

}  // namespace

std::optional<RsaNumbers> read_rsa_public_key(std::string_view der) {
    auto outer = take(der, kSequence);
    if (!outer) return std::nullopt;
    if (outer->empty() || static_cast<unsigned char>(outer->front()) == kInteger) return read_numbers(*outer);

    // SubjectPublicKeyInfo ::= SEQUENCE { algorithm AlgorithmIdentifier, subjectPublicKey BIT STRING }
    auto algorithm = take(*outer, kSequence);
    if (!algorithm || take(*algorithm, kObjectId) != kRsaEncryption) return std::nullopt;
    auto bits = take(*outer, kBitString);
    if (!bits || bits->empty() || bits->front() != '\0') return std::nullopt;
    bits->remove_prefix(1);
    const auto key = take(*bits, kSequence);
    return key ? read_numbers(*key) : std::nullopt;
}

}  // namespace mailstead::mailauth
