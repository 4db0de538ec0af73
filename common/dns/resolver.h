// Asking the DNS.
#pragma once

#include <string>
#include <utility>

#include "common/dns/records.h"
#include "common/net/socket_address.h"
#include "common/net/task.h"

namespace mailstead::dns {

// Belongs to one io thread. Every lookup ends within the resolver's own timeout.
class Resolver {
public:
    virtual ~Resolver() = default;
    // `question` by value, as it must outlive the wait. A name that cannot be asked for is answered
    // no_such_name. When the task is asked to stop: a transient failure.
    virtual net::Task<AnyAnswer> resolve(Question question) = 0;

    net::Task<Answer<Mx>> mx(std::string name) { return typed<Mx>(std::move(name), RecordType::mx); }
    net::Task<Answer<IpAddress>> a(std::string name) {
        return typed<IpAddress>(std::move(name), RecordType::a);
    }
    net::Task<Answer<IpAddress>> aaaa(std::string name) {
        return typed<IpAddress>(std::move(name), RecordType::aaaa);
    }
    net::Task<Answer<Txt>> txt(std::string name) { return typed<Txt>(std::move(name), RecordType::txt); }
    net::Task<Answer<Tlsa>> tlsa(std::string name) { return typed<Tlsa>(std::move(name), RecordType::tlsa); }
    net::Task<Answer<Target>> ptr(std::string name) {
        return typed<Target>(std::move(name), RecordType::ptr);
    }
    net::Task<Answer<Target>> cname(std::string name) {
        return typed<Target>(std::move(name), RecordType::cname);
    }
    net::Task<Answer<Srv>> srv(std::string name) { return typed<Srv>(std::move(name), RecordType::srv); }

private:
    template <class T>
    net::Task<Answer<T>> typed(std::string name, RecordType type) {
        Question question{std::move(name), type};
        AnyAnswer any = co_await resolve(std::move(question));
        co_return narrow<T>(std::move(any));
    }
};

// Between the pure value and the socket's.
IpAddress to_dns(const net::IpAddress& ip);
net::IpAddress to_net(const IpAddress& ip);

}  // namespace mailstead::dns
