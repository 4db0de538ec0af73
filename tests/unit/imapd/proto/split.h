// Runs bytes through framer and parser and writes down what came out, for comparing ways of cutting them.
#pragma once

#include <string>
#include <string_view>

#include "imapd/proto/command.h"
#include "imapd/proto/framer.h"

namespace mailstead::imapd::proto {

// One line for each event. Literals of APPEND are streamed, others kept, as a session does.
class Recorder {
public:
    explicit Recorder(FramerLimits limits) : framer_(limits) {}

    // False after a fatal event.
    bool feed(std::string_view input) {
        for (;;) {
            switch (framer_.next(input)) {
                case Framer::Event::need_input:
                    return true;
                case Framer::Event::fatal:
                    end_chunk();
                    log_ += "fatal\n";
                    return false;
                case Framer::Event::command:
                    end_chunk();
                    describe(framer_.command());
                    break;
                case Framer::Event::rejected:
                    end_chunk();
                    log_ += "rejected " + std::string(framer_.rejected_tag()) + " " +
                            std::to_string(static_cast<int>(framer_.rejection())) + "\n";
                    break;
                case Framer::Event::literal:
                    decide();
                    break;
                case Framer::Event::chunk:
                    streamed_ += framer_.chunk();
                    break;
            }
        }
    }

    const std::string& log() const { return log_; }
    const Framer& framer() const { return framer_; }

private:
    void decide() {
        end_chunk();
        log_ += "literal " + std::to_string(framer_.literal().size) + "\n";
        if (append_literal_follows(framer_.prefix(), {})) {
            framer_.stream();
        } else {
            framer_.keep();
        }
    }
    void end_chunk() {
        if (!streamed_.empty()) log_ += "streamed " + streamed_ + "\n";
        streamed_.clear();
    }
    void describe(std::string_view frame) {
        const auto command = parse_command(frame, {});
        log_ += command ? "command " + command->tag + " " + std::string(to_string(command->verb))
                        : "bad " + command.error().tag + " " + std::string(command.error().error.what);
        log_ += " [" + std::string(frame) + "]\n";
    }

    Framer framer_;
    std::string log_;
    std::string streamed_;
};

// The log for the bytes cut at each position in `cuts`.
inline std::string record(std::string_view bytes, FramerLimits limits,
                          std::initializer_list<std::size_t> cuts = {}) {
    Recorder recorder(limits);
    std::size_t from = 0;
    for (const std::size_t cut : cuts) {
        if (!recorder.feed(bytes.substr(from, cut - from))) return recorder.log();
        from = cut;
    }
    recorder.feed(bytes.substr(from));
    return recorder.log();
}

// Each byte in a packet of its own.
inline std::string record_bytewise(std::string_view bytes, FramerLimits limits) {
    Recorder recorder(limits);
    for (const char& c : bytes) {
        if (!recorder.feed(std::string_view(&c, 1))) break;
    }
    return recorder.log();
}

}  // namespace mailstead::imapd::proto
