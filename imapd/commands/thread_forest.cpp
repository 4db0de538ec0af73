#include "imapd/commands/thread_forest.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <random>

#include "imapd/proto/response.h"

namespace mailstead::imapd::commands {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;

std::uint64_t random_seed() {
    static const std::uint64_t seed = [] {
        std::random_device device;
        return std::uint64_t{device()} << 32 | device();
    }();
    return seed;
}

std::uint64_t mix(std::uint64_t x) {
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9u;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

// Hashes that nobody outside can foresee: message ids and subjects are a sender's choice.
std::uint64_t hash_text(std::string_view text) {
    std::uint64_t hash = random_seed() ^ text.size();
    while (text.size() >= 8) {
        std::uint64_t chunk = 0;
        std::memcpy(&chunk, text.data(), 8);
        hash = mix(hash ^ chunk) + random_seed();
        text.remove_prefix(8);
    }
    std::uint64_t rest = 0;
    if (!text.empty()) std::memcpy(&rest, text.data(), text.size());
    return mix(hash ^ rest);
}

// Open addressing over numbers that the caller gives out; never more than half full.
class NumberTable {
public:
    explicit NumberTable(std::size_t entries)
        : slots_(std::bit_ceil(std::max<std::size_t>(16, 2 * entries)), kNone), mask_(slots_.size() - 1) {}

    // The number whose key is equal, or kNone and the slot for a new one.
    template <class Equal>
    std::uint32_t& find(std::uint64_t hash, Equal equal) {
        std::size_t at = static_cast<std::size_t>(hash) & mask_;
        while (slots_[at] != kNone && !equal(slots_[at])) at = (at + 1) & mask_;
        return slots_[at];
    }

private:
    std::vector<std::uint32_t> slots_;
    std::size_t mask_;
};

}  // namespace

void ThreadInput::reserve(std::size_t messages) {
    messages_.reserve(messages);
    places_.reserve(messages);
    ends_.reserve(messages + 1);
}

void ThreadInput::add(const Message& message, std::string_view subject,
                      const std::vector<std::uint64_t>& references) {
    messages_.push_back(message);
    places_.push_back({subjects_.size(), static_cast<std::uint32_t>(subject.size())});
    subjects_ += subject;
    references_.insert(references_.end(), references.begin(), references.end());
    ends_.push_back(references_.size());
}

void ThreadInput::replace_subject(std::uint32_t n, std::string_view subject) {
    places_[n] = {subjects_.size(), static_cast<std::uint32_t>(subject.size())};
    subjects_ += subject;
}

class ForestBuilder {
public:
    explicit ForestBuilder(const ThreadInput& input)
        : input_(input), count_(static_cast<std::uint32_t>(input.size())) {}

    ThreadForest run(proto::ThreadAlgorithm algorithm) {
        order_by_date();
        if (algorithm == proto::ThreadAlgorithm::ordered_subject) {
            number_subjects();
            gather_by_subject();
        } else {
            link_references();
            prune();
            if (algorithm == proto::ThreadAlgorithm::references) {
                number_subjects();
                merge_subjects();
            }
        }
        ThreadForest forest = finish();
        if (algorithm == proto::ThreadAlgorithm::refs) sort_by_latest_arrival(forest);
        return forest;
    }

private:
    // RFC 5256, 2.2: equal dates stand in mailbox order.
    void order_by_date() {
        by_date_.resize(count_);
        std::iota(by_date_.begin(), by_date_.end(), 0u);
        const auto earlier = [this](std::uint32_t a, std::uint32_t b) {
            const std::int64_t left = input_.message(a).sent;
            const std::int64_t right = input_.message(b).sent;
            return left != right ? left < right : a < b;
        };
        if (!std::is_sorted(by_date_.begin(), by_date_.end(), earlier))
            std::sort(by_date_.begin(), by_date_.end(), earlier);
    }

    // Equal subjects get equal numbers; 0 is the empty one.
    void number_subjects() {
        subject_.assign(count_, 0);
        NumberTable table(count_);
        std::vector<std::uint32_t> first;  // a message with each subject
        for (std::uint32_t n = 0; n < count_; ++n) {
            const std::string_view text = input_.subject(n);
            if (text.empty()) continue;
            std::uint32_t& found = table.find(
                hash_text(text), [&](std::uint32_t s) { return input_.subject(first[s]) == text; });
            if (found == kNone) {
                found = static_cast<std::uint32_t>(first.size());
                first.push_back(n);
            }
            subject_[n] = found + 1;
        }
        subjects_ = static_cast<std::uint32_t>(first.size()) + 1;
    }

    // ORDEREDSUBJECT: the first message of a subject by date is the parent of the others.
    void gather_by_subject() {
        parent_.assign(count_, kNone);
        std::vector<std::uint32_t> head(subjects_, kNone);
        for (const std::uint32_t n : by_date_) {
            std::uint32_t& first = head[subject_[n]];
            if (first == kNone) {
                first = n;
            } else {
                parent_[n] = first;
            }
        }
    }

    // ---- REFERENCES (1)

    // RFC 5256, 3 (1): nodes for messages and for ids that are only referred to.
    void link_references() {
        std::size_t references = 0;
        for (std::uint32_t n = 0; n < count_; ++n)
            references += static_cast<std::size_t>(input_.end_references(n) - input_.begin_references(n));
        NumberTable table(count_ + references);
        std::vector<std::uint64_t> id_of(count_, 0);
        const auto node_of = [&](std::uint64_t id) -> std::uint32_t& {
            return table.find(mix(id ^ random_seed()), [&](std::uint32_t node) { return id_of[node] == id; });
        };
        for (std::uint32_t n = 0; n < count_; ++n) {
            const std::uint64_t id = input_.message(n).id;
            if (id == 0) continue;
            std::uint32_t& node = node_of(id);
            if (node != kNone) continue;  // a duplicate is a message without an id of its own
            node = n;
            id_of[n] = id;
        }
        parent_.assign(count_, kNone);
        tree_.resize(count_);
        std::iota(tree_.begin(), tree_.end(), 0u);
        for (std::uint32_t n = 0; n < count_; ++n) {
            std::uint32_t before = kNone;
            for (const std::uint64_t* id = input_.begin_references(n); id != input_.end_references(n); ++id) {
                std::uint32_t& slot = node_of(*id);
                if (slot == kNone) {
                    slot = static_cast<std::uint32_t>(parent_.size());
                    parent_.push_back(kNone);
                    tree_.push_back(slot);
                    id_of.push_back(*id);
                }
                const std::uint32_t node = slot;
                // (1 A). The link to a message whose turn has not come would be broken at its turn by (1 B):
                // it is not made, so that no link is ever broken.
                const bool is_to_come = node < count_ && node >= n;
                if (before != kNone && !is_to_come) link(before, node);
                before = node;
            }
            if (before != kNone) link(before, n);  // (1 B)
        }
    }

    // Only nodes without a parent get one. They are the roots of their trees, so that a loop would arise just
    // where both are in one tree.
    void link(std::uint32_t parent, std::uint32_t child) {
        if (parent_[child] != kNone) return;
        const std::uint32_t above = tree_of(parent);
        const std::uint32_t below = tree_of(child);
        if (above == below) return;
        parent_[child] = parent;
        tree_[below] = above;
    }

    std::uint32_t tree_of(std::uint32_t node) {
        while (tree_[node] != node) {
            tree_[node] = tree_[tree_[node]];
            node = tree_[node];
        }
        return node;
    }

    // ---- (2) and (3)

    // Messages become children of the nearest message above them, or else of the dummy at the top. A dummy
    // keeps its place there only with two children or more.
    void prune() {
        const auto nodes = static_cast<std::uint32_t>(parent_.size());
        std::vector<std::uint32_t> anchor(nodes, kNone);  // of dummies: whom their children belong to
        std::vector<std::uint32_t> path;
        const auto anchor_of = [&](std::uint32_t node) {
            path.clear();
            while (node >= count_ && anchor[node] == kNone && parent_[node] != kNone) {
                path.push_back(node);
                node = parent_[node];
            }
            const std::uint32_t found = node >= count_ && anchor[node] != kNone ? anchor[node] : node;
            for (const std::uint32_t passed : path) anchor[passed] = found;
            return found;
        };
        std::vector<std::uint32_t> pruned(nodes, kNone);
        std::vector<std::uint32_t> children(nodes, 0);
        for (std::uint32_t n = 0; n < count_; ++n) {
            if (parent_[n] == kNone) continue;
            pruned[n] = anchor_of(parent_[n]);
            ++children[pruned[n]];
        }
        for (std::uint32_t n = 0; n < count_; ++n) {
            const std::uint32_t above = pruned[n];
            if (above != kNone && above >= count_ && children[above] == 1) pruned[n] = kNone;
        }
        parent_ = std::move(pruned);
    }

    // ---- (4) and (5)

    // A thread's message at the top, or the dummy there.
    struct Top {
        std::uint32_t node;
        std::uint32_t first;  // the message that gives date and subject
    };

    std::vector<Top> tops() const {
        std::vector<Top> list;
        std::vector<bool> listed(parent_.size(), false);
        for (const std::uint32_t n : by_date_) {
            const std::uint32_t above = parent_[n];
            if (above == kNone) {
                list.push_back({n, n});
            } else if (above >= count_ && !listed[above]) {
                listed[above] = true;
                list.push_back({above, n});
            }
        }
        return list;
    }

    bool is_dummy(std::uint32_t node) const { return node >= count_; }
    bool is_reply(std::uint32_t node) const { return !is_dummy(node) && input_.message(node).is_reply; }

    void merge_subjects() {
        const std::vector<Top> list = tops();
        // (5 B)
        std::vector<std::uint32_t> table(subjects_, kNone);
        for (const Top& top : list) {
            const std::uint32_t subject = subject_[top.first];
            if (subject == 0) continue;
            std::uint32_t& entry = table[subject];
            const bool better =
                entry == kNone ||
                (!is_dummy(entry) && (is_dummy(top.node) || (is_reply(entry) && !is_reply(top.node))));
            if (better) entry = top.node;
        }
        // (5 C)
        std::vector<std::uint32_t> merged(parent_.size(), kNone);  // dummies that became part of another one
        for (const Top& top : list) {
            const std::uint32_t subject = subject_[top.first];
            if (subject == 0 || table[subject] == top.node) continue;
            std::uint32_t& entry = table[subject];
            if (is_dummy(top.node)) {
                merged[top.node] = entry;
            } else if (is_dummy(entry) || (is_reply(top.node) && !is_reply(entry))) {
                parent_[top.node] = entry;
            } else {
                const auto dummy = static_cast<std::uint32_t>(parent_.size());
                parent_.push_back(kNone);
                merged.push_back(kNone);
                parent_[top.node] = dummy;
                parent_[entry] = dummy;
                entry = dummy;
            }
        }
        for (std::uint32_t n = 0; n < count_; ++n) {
            const std::uint32_t above = parent_[n];
            if (above != kNone && merged[above] != kNone) parent_[n] = merged[above];
        }
    }

    // ---- (6)

    // Everything is put down in the order of dates, so that siblings are sorted as they come.
    ThreadForest finish() {
        ThreadForest forest;
        forest.uids_.reserve(count_);
        for (std::uint32_t n = 0; n < count_; ++n) forest.uids_.push_back(input_.message(n).uid);
        const std::size_t nodes = parent_.size();
        forest.first_child_.assign(nodes + 1, 0);
        for (std::uint32_t n = 0; n < count_; ++n) {
            if (parent_[n] != kNone) ++forest.first_child_[parent_[n] + 1];
        }
        std::partial_sum(forest.first_child_.begin(), forest.first_child_.end(), forest.first_child_.begin());
        forest.children_.resize(forest.first_child_[nodes]);
        std::vector<std::uint32_t> next(forest.first_child_.begin(), forest.first_child_.end() - 1);
        for (const Top& top : tops()) forest.roots_.push_back(top.node);
        for (const std::uint32_t n : by_date_) {
            if (parent_[n] != kNone) forest.children_[next[parent_[n]]++] = n;
        }
        return forest;
    }

    // REFS: the thread in which something came last is the last one.
    void sort_by_latest_arrival(ThreadForest& forest) const {
        std::vector<std::int64_t> latest(parent_.size(), INT64_MIN);
        std::vector<std::uint32_t> stack;
        for (const std::uint32_t root : forest.roots_) {
            stack.assign(1, root);
            while (!stack.empty()) {
                const std::uint32_t node = stack.back();
                stack.pop_back();
                if (!is_dummy(node)) latest[root] = std::max(latest[root], input_.message(node).arrival);
                const auto children = forest.children(node);
                stack.insert(stack.end(), children.begin, children.end);
            }
        }
        std::stable_sort(forest.roots_.begin(), forest.roots_.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return latest[a] < latest[b]; });
    }

    const ThreadInput& input_;
    const std::uint32_t count_;           // messages; nodes from here on are dummies
    std::vector<std::uint32_t> by_date_;  // messages
    std::vector<std::uint32_t> subject_;  // per message
    std::uint32_t subjects_ = 1;
    std::vector<std::uint32_t> parent_;  // per node
    std::vector<std::uint32_t> tree_;    // union-find over nodes
};

ThreadForest ThreadForest::build(const ThreadInput& input, proto::ThreadAlgorithm algorithm) {
    return ForestBuilder(input).run(algorithm);
}

// thread-data    = "THREAD" [SP 1*thread-list]
// thread-list    = "(" (thread-members / thread-nested) ")"
// thread-members = nz-number *(SP nz-number) [SP thread-nested]
// thread-nested  = 2*thread-list
void ThreadForest::write(std::string& out, const store::UidRuns* messages) const {
    out += "* THREAD";
    if (!roots_.empty()) out += ' ';
    std::vector<Children> open;  // siblings still to be written, at each level that splits
    const auto write_number = [&](std::uint32_t node) {
        const std::uint32_t uid = uids_[node];
        proto::write_number(out, messages == nullptr ? uid : messages->number_of(Uid(uid)));
    };
    // A node and those below it up to where the thread splits or ends.
    const auto write_members = [&](std::uint32_t node) {
        out += '(';
        bool separate = false;
        if (node < uids_.size()) {
            write_number(node);
            separate = true;
        }
        Children below = children(node);
        while (below.end - below.begin == 1) {
            node = *below.begin;
            if (separate) out += ' ';
            separate = true;
            write_number(node);
            below = children(node);
        }
        if (below.begin != below.end && separate) out += ' ';
        open.push_back(below);
    };
    for (const std::uint32_t root : roots_) {
        write_members(root);
        while (!open.empty()) {
            Children& level = open.back();
            if (level.begin == level.end) {
                out += ')';
                open.pop_back();
            } else {
                const std::uint32_t node = *level.begin++;
                write_members(node);
            }
        }
    }
    out += "\r\n";
}

}  // namespace mailstead::imapd::commands
