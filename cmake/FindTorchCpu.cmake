# raven::torch: LibTorch without its CMake package, which insists on the CUDA toolkit.
# Looks in Torch_ROOT, the environment's Torch_ROOT, the cache that scripts/setup.sh fills, and an activated
# Python's torch. A binary linked here runs with and without a GPU: see src/cli/cuda_library.cpp.

set(raven_torch_version 2.11.0)  # the version that scripts/setup.sh installs
if(DEFINED ENV{XDG_CACHE_HOME})
  set(raven_cache $ENV{XDG_CACHE_HOME}/raven)
else()
  set(raven_cache $ENV{HOME}/.cache/raven)
endif()

set(candidates ${Torch_ROOT} $ENV{Torch_ROOT} ${raven_cache}/libtorch-${raven_torch_version}/torch)
if(DEFINED ENV{VIRTUAL_ENV})
  file(GLOB active $ENV{VIRTUAL_ENV}/lib/python3*/site-packages/torch)
  list(APPEND candidates ${active})
endif()
set(raven_torch_dir "")
foreach(folder IN LISTS candidates)
  foreach(inner IN ITEMS "" /torch)
    if(NOT raven_torch_dir AND EXISTS ${folder}${inner}/include/torch/csrc/api/include/torch/torch.h)
      set(raven_torch_dir ${folder}${inner})
    endif()
  endforeach()
endforeach()
if(NOT raven_torch_dir)
  message(FATAL_ERROR "LibTorch not found in: ${candidates}\n"
                      "Run scripts/setup.sh, or name an existing one: cmake -DTorch_ROOT=<site-packages>/torch")
endif()
get_filename_component(raven_torch_dir ${raven_torch_dir} REALPATH)
message(STATUS "LibTorch: ${raven_torch_dir}")

foreach(name IN ITEMS c10 torch_cpu)
  add_library(raven_torch_${name} SHARED IMPORTED GLOBAL)
  set_target_properties(raven_torch_${name} PROPERTIES
    IMPORTED_LOCATION ${raven_torch_dir}/lib/lib${name}.so IMPORTED_NO_SONAME FALSE)
endforeach()
add_library(raven_torch INTERFACE)
add_library(raven::torch ALIAS raven_torch)
# LibTorch brings a newer fmt among its headers, which the installed spdlog does not compile with: ours goes first.
find_path(RAVEN_FMT_INCLUDE_DIR fmt/core.h REQUIRED)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/first)
file(CREATE_LINK ${RAVEN_FMT_INCLUDE_DIR}/fmt ${PROJECT_BINARY_DIR}/first/fmt SYMBOLIC)
target_include_directories(raven_torch SYSTEM INTERFACE ${PROJECT_BINARY_DIR}/first
  ${raven_torch_dir}/include ${raven_torch_dir}/include/torch/csrc/api/include)
target_link_libraries(raven_torch INTERFACE raven_torch_torch_cpu raven_torch_c10)
target_link_options(raven_torch INTERFACE -Wl,--allow-shlib-undefined)

# Run paths are written as they stay: CMake pads one that it means to edit with empty parts, and an empty part is the
# folder of the caller, searched first (tests/run_path_test.sh refuses both).
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../lib;${raven_torch_dir}/lib")
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)  # libraries outside the system's folders, absolute

# LLVM's OpenMP in the place of the libgomp that comes with LibTorch: its threads yield while they wait for one that
# another program has displaced, libgomp's spin (docs/troubleshooting.md). It has libgomp's functions under libgomp's
# versions; a program that needs it directly finds it before what LibTorch needs.
find_library(RAVEN_OPENMP NAMES libomp.so.5 PATH_SUFFIXES llvm-14/lib llvm-18/lib
             DOC "LLVM's OpenMP, used in libgomp's place; empty: LibTorch's own libgomp")
if(RAVEN_OPENMP)
  target_link_options(raven_torch INTERFACE
    "SHELL:-Wl,--push-state,--no-as-needed ${RAVEN_OPENMP} -Wl,--pop-state")
else()
  message(STATUS "No libomp.so.5 (package libomp5): threads use LibTorch's libgomp, which is slow beside other programs")
endif()
