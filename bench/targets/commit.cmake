add_executable(commit_bench ${PROJECT_SOURCE_DIR}/bench/commit_bench.cpp)
target_link_libraries(commit_bench PRIVATE mailstead_commit)
