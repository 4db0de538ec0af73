// What sessions share.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "common/directory/directory.h"
#include "common/dns/resolver.h"
#include "common/ipc/session_book.h"
#include "common/net/task_group.h"
#include "common/net/tls_context.h"
#include "smtpd/policy/rate.h"
#include "smtpd/session/deliver_link.h"
#include "smtpd/session/spool.h"

namespace mailstead::smtpd {

// Of the process. Thread-safe; outlives all sessions.
struct Environment {
    std::string hostname;  // A-labels
    const directory::Directory& directory;
    Spool spool;
    MemoryBudget memory;
    RecipientRate rate;
    std::shared_ptr<net::TlsServerContext> tls;  // null: no certificate
    bool enforce_dmarc = true;
    std::atomic<bool> stopping{false};
};

// Of one io thread.
struct Worker {
    Environment& environment;
    std::unique_ptr<DeliverLink> deliver;
    std::unique_ptr<ipc::SessionBook> sessions;  // null in tests that have no deliver to ask
    std::unique_ptr<dns::Resolver> resolver;
    net::TaskGroup background;  // lookups that may outlive their session

    Worker(boost::asio::io_context& context, Environment& shared)
        : environment(shared), background(context) {}
};

}  // namespace mailstead::smtpd
