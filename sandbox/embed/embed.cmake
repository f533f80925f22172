# Compiles profiles/ into the program. Include this between the glob of SANDBOX_SOURCES and add_library(stagebox_sandbox):
#   include(embed/embed.cmake)
# Afterwards SANDBOX_SOURCES has the generated file, and the sources that the generator itself needs are compiled once, as
# objects that both use.
find_library(SECCOMP_ARCHIVE NAMES libseccomp.a REQUIRED)
find_library(CAP_ARCHIVE NAMES libcap.a REQUIRED)
find_library(CRYPTO_ARCHIVE NAMES libcrypto.a REQUIRED)

set(CRYPTO_LINK_OPTIONS -Wl,--wrap=OPENSSL_cpuid_setup)  # os/sha256.cpp says why
set(EMBED_SHARED config/config.cpp config/value.cpp os/caps.cpp filter/compile.cpp filter/eval.cpp
                 filter/graph.cpp filter/oci_rules.cpp filter/shrink.cpp spec/limits_text.cpp profile/permissions.cpp
                 profile/profile.cpp profile/file.cpp profile/loosening.cpp profile/filter.cpp profile/filter_cache.cpp profile/find.cpp
                 os/files.cpp os/format.cpp os/problem.cpp os/sha256.cpp os/text.cpp)
list(TRANSFORM EMBED_SHARED PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
list(REMOVE_ITEM SANDBOX_SOURCES ${EMBED_SHARED})
add_library(stagebox_policy OBJECT ${EMBED_SHARED})
set_target_properties(stagebox_policy PROPERTIES UNITY_BUILD OFF)
target_link_libraries(stagebox_policy PUBLIC stagebox_options nlohmann_json::nlohmann_json)
# Precompiled once, for all that the program consists of. A file names what it uses all the same: the preset tidy compiles
# without. Nothing of ours but the two headers that stand for a library, so that a change of ours compiles few files again.
target_precompile_headers(stagebox_policy PRIVATE <algorithm> <array> <chrono> <functional> <map> <memory> <optional> <set>
                          <span> <string> <string_view> <variant> <vector> ${CMAKE_SOURCE_DIR}/sandbox/os/format.hpp
                          ${CMAKE_SOURCE_DIR}/sandbox/os/json.hpp)

add_executable(stagebox-filterc embed/filterc.cpp $<TARGET_OBJECTS:stagebox_policy>)
target_link_libraries(stagebox-filterc PRIVATE stagebox_options nlohmann_json::nlohmann_json
                                               ${SECCOMP_ARCHIVE} ${CAP_ARCHIVE} ${CRYPTO_ARCHIVE} ${CMAKE_DL_LIBS})
target_link_options(stagebox-filterc PRIVATE ${CRYPTO_LINK_OPTIONS})
target_precompile_headers(stagebox-filterc REUSE_FROM stagebox_policy)

set(PROFILES_DIR ${CMAKE_SOURCE_DIR}/profiles)
set(PROFILES_DATA ${CMAKE_BINARY_DIR}/generated/profiles_data.cpp)
file(GLOB PROFILE_FILES CONFIGURE_DEPENDS ${PROFILES_DIR}/*.toml ${PROFILES_DIR}/seccomp/*.json)
add_custom_command(
    OUTPUT ${PROFILES_DATA}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
    COMMAND stagebox-filterc ${PROFILES_DIR} ${PROFILES_DATA}
    DEPENDS stagebox-filterc ${PROFILE_FILES}
    COMMENT "Compiling the profiles' filters"
    VERBATIM)
list(APPEND SANDBOX_SOURCES ${PROFILES_DATA} $<TARGET_OBJECTS:stagebox_policy>)
