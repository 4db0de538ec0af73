add_executable(store_bench ${PROJECT_SOURCE_DIR}/bench/store_bench.cpp)
target_link_libraries(store_bench PRIVATE mailstead_store)
