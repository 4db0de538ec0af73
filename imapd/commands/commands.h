// The commands, by group: each answers untagged into session.out() and returns its tagged answer.
#pragma once

#include "common/net/task.h"
#include "imapd/proto/command.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {

using proto::Command;

// general.cpp
net::Task<Reply> capability(Session& session, Command& command);
net::Task<Reply> noop(Session& session, Command& command);
net::Task<Reply> logout(Session& session, Command& command);
net::Task<Reply> id(Session& session, Command& command);
net::Task<Reply> enable(Session& session, Command& command);
net::Task<Reply> name_space(Session& session, Command& command);
net::Task<Reply> idle(Session& session, Command& command);
net::Task<Reply> only_before_login(Session& session, Command& command);
// notify.cpp
net::Task<Reply> notify(Session& session, Command& command);
// connection.cpp
net::Task<Reply> compress(Session& session, Command& command);
net::Task<Reply> unauthenticate(Session& session, Command& command);
// uid_batches.cpp
net::Task<Reply> uid_batches(Session& session, Command& command);
// quota.cpp
net::Task<Reply> getquota(Session& session, Command& command);
net::Task<Reply> getquotaroot(Session& session, Command& command);
net::Task<Reply> setquota(Session& session, Command& command);
// metadata.cpp
net::Task<Reply> getmetadata(Session& session, Command& command);
net::Task<Reply> setmetadata(Session& session, Command& command);
// mailbox.cpp
net::Task<Reply> create(Session& session, Command& command);
net::Task<Reply> delete_mailbox(Session& session, Command& command);
net::Task<Reply> rename(Session& session, Command& command);
net::Task<Reply> subscribe(Session& session, Command& command);
net::Task<Reply> status(Session& session, Command& command);
// list.cpp
net::Task<Reply> list(Session& session, Command& command);
// select.cpp
net::Task<Reply> select(Session& session, Command& command);
net::Task<Reply> close(Session& session, Command& command);
net::Task<Reply> unselect(Session& session, Command& command);
// acl.cpp
net::Task<Reply> setacl(Session& session, Command& command);
net::Task<Reply> listrights(Session& session, Command& command);
net::Task<Reply> getacl(Session& session, Command& command);
net::Task<Reply> myrights(Session& session, Command& command);
// append.cpp
net::Task<Reply> append(Session& session, Command& command);
net::Task<Reply> replace(Session& session, Command& command);
// store.cpp
net::Task<Reply> store_flags(Session& session, Command& command);
// copy.cpp
net::Task<Reply> copy(Session& session, Command& command);
// expunge.cpp
net::Task<Reply> expunge(Session& session, Command& command);
// search_command.cpp
net::Task<Reply> search(Session& session, Command& command);
// multisearch.cpp
net::Task<Reply> search_mailboxes(Session& session, Command& command);
// thread.cpp
net::Task<Reply> thread(Session& session, Command& command);
// live_search.cpp
net::Task<Reply> cancel_update(Session& session, Command& command);
// fetch.cpp
net::Task<Reply> fetch(Session& session, Command& command);

// `* MYRIGHTS "INBOX" lrswi`
void write_my_rights(std::string& out, const MailboxName& name, store::Rights rights, proto::Utf8 utf8);
// metadata.cpp: from here on the session tells of annotations that others change (RFC 5464, 4.1).
void enable_metadata(Session& session);
// The lines that are due since then.
void write_metadata_changes(Session& session, const store::Snapshot& now);
// Those of somebody else's mailbox, by its owner's name for it, that a user with these rights may see.
store::Outcome<std::vector<store::Snapshot::Annotation>> shared_annotations(const store::AccountReader& owner,
                                                                            const MailboxName& name,
                                                                            store::Rights rights);
// `* METADATA "name" (/shared/comment "x")`: those of `annotations` that the client asks for. Returns the
// octets of the largest value that was left out for its size; 0 for none.
std::uint64_t write_metadata(Session& session, const std::optional<MailboxName>& mailbox,
                             const proto::MetadataEntries& wanted,
                             const std::vector<store::Snapshot::Annotation>& annotations);

// status.cpp: `MESSAGES 3 UIDNEXT 7` as STATUS and LIST ... RETURN (STATUS ...) show it.
void write_status(std::string& out, const proto::StatusItems& items, const store::MailboxInfo& mailbox,
                  std::uint64_t append_limit, AccountId id_scope = {});

}  // namespace mailstead::imapd::commands
