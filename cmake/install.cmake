# `cmake --install build/release`, below CMAKE_INSTALL_PREFIX as it was configured (/usr/local), which the units name too. What lies below
# lib/ is found by systemd in /usr and in /usr/local alike.
include(GNUInstallDirs)

# The programs lie together: `mailstead serve` looks for the daemons beside itself.
foreach(program mailstead mailstead-smtpd mailstead-deliver mailstead-imapd)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

# Units name their program with its full path, which the prefix decides.
function(mailstead_install_unit file destination name)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  string(REGEX REPLACE "(\nExec[A-Za-z]+=[-+!@:]*)/[^ \n]*/(mailstead[a-z-]*)" "\\1${CMAKE_INSTALL_FULL_BINDIR}/\\2" text "${text}")
  set(written ${PROJECT_BINARY_DIR}/config/${destination}/${name})
  file(WRITE ${written} "${text}")
  install(FILES ${written} DESTINATION ${destination})
endfunction()

file(GLOB units CONFIGURE_DEPENDS config/systemd/*.service config/systemd/*.socket config/systemd/*.target config/systemd/*.slice
     config/systemd/*.timer config/systemd/*.path)
foreach(unit IN LISTS units)
  get_filename_component(name ${unit} NAME)
  mailstead_install_unit(${unit} lib/systemd/system ${name})
endforeach()
foreach(kind sysusers tmpfiles)
  file(GLOB files CONFIGURE_DEPENDS config/systemd/*.${kind} config/systemd/*${kind}*.conf config/systemd/${kind}*/*.conf config/${kind}*/*.conf)
  foreach(file IN LISTS files)
    install(FILES ${file} DESTINATION lib/${kind}.d RENAME mailstead.conf)
  endforeach()
endforeach()

file(GLOB pages CONFIGURE_DEPENDS docs/man/*.[1-8] docs/*.[1-8])
foreach(page IN LISTS pages)
  string(REGEX MATCH "[1-8]$" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

file(GLOB documents CONFIGURE_DEPENDS docs/*.md)
install(FILES README.md LICENSE ${documents} DESTINATION ${CMAKE_INSTALL_DOCDIR})
file(GLOB examples CONFIGURE_DEPENDS config/*.example config/*.toml)
if(examples)
  install(FILES ${examples} DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
endif()
