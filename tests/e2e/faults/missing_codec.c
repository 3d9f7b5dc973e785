// Loaded before libavcodec, makes it one that was built without a codec: RAVEN_FAULT_CODEC names
// it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static int is_missing(const char* name) {
  const char* missing = getenv("RAVEN_FAULT_CODEC");
  return missing != NULL && name != NULL && strcmp(name, missing) == 0;
}

const void* avcodec_find_decoder(int id) {
  const char* (*name)(int) = (const char* (*)(int))dlsym(RTLD_NEXT, "avcodec_get_name");
  const void* (*find)(int) = (const void* (*)(int))dlsym(RTLD_NEXT, "avcodec_find_decoder");
  return is_missing(name(id)) ? NULL : find(id);
}

const void* avcodec_find_encoder_by_name(const char* name) {
  const void* (*find)(const char*) =
      (const void* (*)(const char*))dlsym(RTLD_NEXT, "avcodec_find_encoder_by_name");
  return is_missing(name) ? NULL : find(name);
}
