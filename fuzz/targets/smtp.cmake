mailstead_fuzz(smtp_command SOURCES smtp_command_fuzz.cpp DEPENDS mailstead_smtp)
mailstead_fuzz(smtp_reply SOURCES smtp_reply_fuzz.cpp DEPENDS mailstead_smtp)
mailstead_fuzz(smtp_data SOURCES smtp_data_fuzz.cpp DEPENDS mailstead_smtp)
mailstead_fuzz(smtp_server
  SOURCES smtp_server_fuzz.cpp ${PROJECT_SOURCE_DIR}/tests/unit/smtpd/fake_session.cpp
  DEPENDS mailstead_smtpd_core)
