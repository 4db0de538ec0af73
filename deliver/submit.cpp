#include "deliver/submit.h"

#include <memory>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace mailstead::deliver {

net::Task<commit::Outcome> submit(commit::Engine& engine, commit::Transaction transaction) {
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>,
                                                   void(commit::Outcome)>(
        [](auto handler, commit::Engine* to, commit::Transaction* what) {
            using Handler = decltype(handler);
            auto executor = boost::asio::get_associated_executor(handler);
            // std::function must be copyable; the handler is not.
            auto shared = std::make_shared<Handler>(std::move(handler));
            to->submit(std::move(*what), [shared, executor](commit::Outcome outcome) {
                boost::asio::post(executor, [shared, result = std::move(outcome)]() mutable {
                    std::move (*shared)(std::move(result));
                });
            });
        },
        boost::asio::use_awaitable, &engine, &transaction);
}

}  // namespace mailstead::deliver
