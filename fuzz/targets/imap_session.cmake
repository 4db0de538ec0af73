mailstead_fuzz(imap_session
  SOURCES imap_session_fuzz.cpp imap_session_world.cpp
          ${PROJECT_SOURCE_DIR}/tests/unit/imapd/session/test_server.cpp
          ${PROJECT_SOURCE_DIR}/tests/unit/store/test_account.cpp
  DEPENDS mailstead_imapd mailstead_kv)
