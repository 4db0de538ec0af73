add_executable(search_bench ${PROJECT_SOURCE_DIR}/bench/search_bench.cpp)
target_link_libraries(search_bench PRIVATE mailstead_imapd)
