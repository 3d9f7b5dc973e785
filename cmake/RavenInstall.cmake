# `cmake --install`: bin/raven, bin/raven-synth and share/raven/configs, found relative to the binary.
include(GNUInstallDirs)
foreach(program IN ITEMS raven raven-synth)
  if(TARGET ${program})
    set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib;${raven_torch_dir}/lib")
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/raven/configs)
