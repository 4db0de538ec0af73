#include <algorithm>
#include <array>

#include "common/base/base64.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/dkim_canonical.h"

namespace mailstead::mailauth {
namespace {

constexpr std::size_t kMaxLine = 76;
// More instances of one field than this are nothing a client writes; the lowest are signed.
constexpr std::size_t kMaxInstances = 20;

struct Signable {
    std::string_view name;
    bool sealed;  // named once more than it occurs, so that none can be added
};
// RFC 6376, 5.4.1; RFC 8058, 4 for List-Unsubscribe and List-Unsubscribe-Post.
constexpr std::array kSignable = {
    Signable{"From", true},
    Signable{"Sender", false},
    Signable{"Reply-To", true},
    Signable{"To", true},
    Signable{"Cc", true},
    Signable{"Subject", true},
    Signable{"Date", true},
    Signable{"Message-ID", true},
    Signable{"In-Reply-To", false},
    Signable{"References", false},
    Signable{"MIME-Version", true},
    Signable{"Content-Type", true},
    Signable{"Content-Transfer-Encoding", true},
    Signable{"Content-Disposition", false},
    Signable{"Content-ID", false},
    Signable{"Content-Description", false},
    Signable{"Resent-Date", false},
    Signable{"Resent-From", false},
    Signable{"Resent-To", false},
    Signable{"Resent-Cc", false},
    Signable{"Resent-Message-ID", false},
    Signable{"List-Id", false},
    Signable{"List-Help", false},
    Signable{"List-Unsubscribe", false},
    Signable{"List-Unsubscribe-Post", false},
    Signable{"List-Subscribe", false},
    Signable{"List-Post", false},
    Signable{"List-Owner", false},
    Signable{"List-Archive", false},
};

std::vector<std::string> choose_fields(const FieldIndex& index) {
    std::vector<std::string> names;
    for (const Signable& signable : kSignable) {
        const std::size_t present = std::min(index.find(signable.name).size(), kMaxInstances);
        const std::size_t count = present + (signable.sealed ? 1 : 0);
        names.insert(names.end(), count, std::string(signable.name));
    }
    return names;
}

// Writes a folded field: pieces stay whole where they fit a line.
class FoldedField {
public:
    explicit FoldedField(std::string_view name) : text_(name) { column_ = text_.size(); }

    // After a blank, or on a new line.
    void word(std::string_view piece) {
        if (column_ + 1 + piece.size() > kMaxLine) {
            fold();
        } else {
            text_ += ' ';
            ++column_;
        }
        append(piece);
    }
    // Directly behind what is there, unless the line is full.
    void attach(std::string_view piece) {
        if (column_ + piece.size() > kMaxLine) fold();
        append(piece);
    }
    const std::string& text() const { return text_; }

private:
    void fold() {
        text_ += "\r\n ";
        column_ = 1;
    }
    void append(std::string_view piece) {
        text_ += piece;
        column_ += piece.size();
    }
    std::string text_;
    std::size_t column_ = 0;
};

std::string_view form_name(Canonicalization form) {
    return form == Canonicalization::simple ? "simple" : "relaxed";
}

}  // namespace

class DkimSigner::Machine {
public:
    Machine(DkimSignOptions options, std::vector<DkimSelector> selectors, Time now)
        : options_(std::move(options)), selectors_(std::move(selectors)), now_(now), hasher_(options_.body) {
        hasher_.want(std::nullopt);
    }

    void headers(std::string_view block) {
        const FieldIndex index(block);
        has_author_ = !index.find("From").empty();
        names_ = choose_fields(index);
        index.append_selected(signed_fields_, names_, std::nullopt, options_.header);
    }
    void body(std::string_view chunk) { hasher_.update(chunk); }
    Result<std::string> finish();

private:
    std::string unsigned_field(const DkimSelector& selector) const;
    Result<std::string> sign(const DkimSelector& selector) const;

    DkimSignOptions options_;
    std::vector<DkimSelector> selectors_;
    Time now_;
    BodyHasher hasher_;
    bool has_author_ = false;
    bool finished_ = false;
    std::vector<std::string> names_;
    std::string signed_fields_;
};

Result<std::string> DkimSigner::Machine::finish() {
    if (!has_author_) return permanent_error("a message without From cannot be signed");
    if (!finished_) hasher_.finish();
    finished_ = true;
    std::string fields;
    for (const DkimSelector& selector : selectors_) {
        TRY(field, sign(selector));
        fields += field;
    }
    return fields;
}

// Up to and with `b=`.
std::string DkimSigner::Machine::unsigned_field(const DkimSelector& selector) const {
    const auto seconds = std::chrono::duration_cast<Seconds>(now_.time_since_epoch());
    FoldedField field("DKIM-Signature:");
    field.word("v=1;");
    field.word("a=" + std::string(to_string(selector.key->algorithm())) + ";");
    field.word("c=" + std::string(form_name(options_.header)) + "/" + std::string(form_name(options_.body)) +
               ";");
    field.word("d=" + options_.domain + ";");
    field.word("s=" + selector.name + ";");
    field.word("t=" + std::to_string(seconds.count()) + ";");
    if (options_.lifetime) field.word("x=" + std::to_string((seconds + *options_.lifetime).count()) + ";");
    for (std::size_t i = 0; i < names_.size(); ++i) {
        const std::string piece = names_[i] + (i + 1 < names_.size() ? ":" : ";");
        i == 0 ? field.word("h=" + piece) : field.attach(piece);
    }
    field.word("bh=" + base64_encode(hasher_.hash(0)) + ";");
    field.word("b=");
    return field.text();
}

Result<std::string> DkimSigner::Machine::sign(const DkimSelector& selector) const {
    const std::string field = unsigned_field(selector);
    std::string text = signed_fields_;
    const std::string raw = field + "\r\n";
    const std::size_t colon = field.find(':');
    append_canonical(
        text, {std::string_view(field).substr(0, colon), std::string_view(field).substr(colon + 1), raw},
        options_.header);
    text.resize(text.size() - 2);
    Sha256 sha;
    sha.update(text);
    TRY(signature, selector.key->sign_digest(sha.finish()));

    // Folds inside the value of b= are not signed (RFC 6376, 3.5), so they can be put in afterwards.
    std::string out = field;
    const std::string encoded = base64_encode(signature);
    std::size_t column = field.size() - (field.rfind('\n') + 1);
    for (std::size_t at = 0; at < encoded.size();) {
        if (column >= kMaxLine) {
            out += "\r\n ";
            column = 1;
        }
        const std::string_view part = std::string_view(encoded).substr(at, kMaxLine - column);
        out += part;
        column += part.size();
        at += part.size();
    }
    return out + "\r\n";
}

DkimSigner::DkimSigner(DkimSignOptions options, std::vector<DkimSelector> selectors, Time now)
    : machine_(std::make_unique<Machine>(std::move(options), std::move(selectors), now)) {}
DkimSigner::~DkimSigner() = default;
DkimSigner::DkimSigner(DkimSigner&&) noexcept = default;
DkimSigner& DkimSigner::operator=(DkimSigner&&) noexcept = default;

void DkimSigner::headers(std::string_view block) {
    machine_->headers(block);
}
void DkimSigner::body(std::string_view chunk) {
    machine_->body(chunk);
}
Result<std::string> DkimSigner::finish() {
    return machine_->finish();
}

}  // namespace mailstead::mailauth
