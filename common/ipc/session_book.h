// The sessions of one io thread that somebody has logged in to: deliver can have them listed and ended.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "common/base/credential.h"
#include "common/base/ids.h"
#include "common/ipc/channel.h"
#include "common/ipc/session_messages.h"

namespace mailstead::ipc {

class LiveSession {
public:
    virtual ~LiveSession() = default;
    // For people. SessionBook adds id, account and credential.
    virtual SessionFacts facts() const = 0;
    // Tell the client why and come to an end, within a second whatever the client does. At most once.
    virtual void end(EndReason reason) = 0;
};

// Asks deliver for orders, over and over, and does what they say. When deliver has been away, and once a
// minute, it has the proof of every session looked at: what was revoked while nobody could tell us ends then.
// Belongs to the thread of its io_context.
class SessionBook {
public:
    // `deliver` outlives it.
    SessionBook(boost::asio::io_context& context, Client& deliver);
    ~SessionBook();
    SessionBook(const SessionBook&) = delete;
    SessionBook& operator=(const SessionBook&) = delete;

    // Any thread.
    void start();
    void request_stop();

    // The session is entered until leave(). `credential` and `epoch` are from its AuthSuccess; what was
    // revoked between that and this ends it soon.
    void enter(LiveSession& session, std::string id, AccountId account, Credential credential,
               std::uint64_t epoch);
    void leave(const std::string& id);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace mailstead::ipc
