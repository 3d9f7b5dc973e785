// What libcuda.so.1 and libnvidia-ml.so.1 tell on a machine with one GPU and a driver for CUDA
// RAVEN_FAULT_CUDA (13000: 13.0).
#include <stdio.h>
#include <stdlib.h>

int cuDriverGetVersion(int* version) {
  const char* text = getenv("RAVEN_FAULT_CUDA");
  *version = text == NULL ? 13000 : atoi(text);
  return 0;
}

static int answer(char* text, unsigned size, const char* content) {
  snprintf(text, size, "%s", content);
  return 0;
}

int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char* text, unsigned size) {
  return answer(text, size, "535.104.05");
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 1;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = device;
  return index == 0 ? 0 : 2;
}
int nvmlDeviceGetName(void* device, char* text, unsigned size) {
  (void)device;
  return answer(text, size, "Stand-in GPU");
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned size) {
  (void)device;
  return answer(text, size, "GPU-0a1b2c3d-0000-0000-0000-000000000000");
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* total_free_used) {
  (void)device;
  total_free_used[0] = 16ULL << 30;
  total_free_used[1] = 15ULL << 30;
  total_free_used[2] = 1ULL << 30;
  return 0;
}
int nvmlDeviceGetCudaComputeCapability(void* device, int* major, int* minor) {
  (void)device;
  *major = 8;
  *minor = 6;
  return 0;
}
