# The pure part: values for questions and answers, and zones that answer them in tests.
mailstead_library(mailstead_dns_records
  SOURCES records.cpp
  DEPENDS mailstead_base)
mailstead_library(mailstead_dns_fake
  SOURCES fake_resolver.cpp
  DEPENDS mailstead_dns_records)
