add_executable(channel_bench ${PROJECT_SOURCE_DIR}/bench/channel_bench.cpp)
target_link_libraries(channel_bench PRIVATE mailstead_ipc benchmark::benchmark)
add_executable(idle_connections ${PROJECT_SOURCE_DIR}/bench/idle_connections.cpp)
target_link_libraries(idle_connections PRIVATE mailstead_net)
