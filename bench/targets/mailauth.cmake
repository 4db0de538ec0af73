add_executable(mailauth_bench ${PROJECT_SOURCE_DIR}/bench/mailauth_bench.cpp)
target_link_libraries(mailauth_bench PRIVATE mailstead_mailauth benchmark::benchmark_main)
