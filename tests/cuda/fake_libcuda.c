/* A libcuda.so.1 of our own, so that the real loading path runs: it lists the GPUs that its environment names.
 *
 *     FAKE_CUDA_FASTEST_FIRST=GPU-... GPU-...    the order that CUDA chooses by itself
 *     FAKE_CUDA_PCI_BUS_ID=GPU-... GPU-...       the order that CUDA_DEVICE_ORDER=PCI_BUS_ID asks for
 *     FAKE_CUDA_TROUBLE=fail cuInit              or `hang cuInit`, `crash cuInit`: what that function does
 *
 * Like the real one it has read CUDA_VISIBLE_DEVICES when it starts; what is set there, it shows no GPU.
 * With -DOLD_LIBRARY it is one from before CUDA 11.4. Signatures: cuda.h of CUDA 12.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_VALUE = 1, NOT_INITIALIZED = 3, NO_DEVICE = 100 };
enum { MOST_GPUS = 8 };

typedef struct {
    unsigned char bytes[16];
} CUuuid;

static CUuuid gpus[MOST_GPUS];
static int gpu_count, initialized;

static int trouble(const char *function) {
    const char *said = getenv("FAKE_CUDA_TROUBLE");
    char kind[8], where[64];
    if (!said || sscanf(said, "%7s %63s", kind, where) != 2 || strcmp(where, function))
        return 0;
    if (!strcmp(kind, "hang"))
        for (;;)
            pause();
    if (!strcmp(kind, "crash"))
        raise(SIGSEGV);
    return 1;
}

static void read_uuid(const char *text, CUuuid *uuid) {
    for (int i = 0; i < 16; i++) {
        unsigned byte;
        text += *text == '-';
        if (sscanf(text, "%2x", &byte) != 1)
            exit(64);
        uuid->bytes[i] = (unsigned char)byte;
        text += 2;
    }
}

int cuInit(unsigned flags) {
    printf("libcuda says something of its own\n");
    fflush(stdout);
    if (flags)
        return INVALID_VALUE;
    if (trouble("cuInit"))
        return NO_DEVICE;
    const char *order = getenv("CUDA_DEVICE_ORDER");
    const char *by_bus = order && !strcmp(order, "PCI_BUS_ID") ? "FAKE_CUDA_PCI_BUS_ID" : NULL;
    const char *listed = getenv(by_bus ? by_bus : "FAKE_CUDA_FASTEST_FIRST");
    if (getenv("CUDA_VISIBLE_DEVICES"))
        return NO_DEVICE;
    while (listed && gpu_count < MOST_GPUS && (listed = strstr(listed, "GPU-"))) {
        listed += strlen("GPU-");
        read_uuid(listed, &gpus[gpu_count++]);
    }
    initialized = 1;
    return SUCCESS;
}

int cuDeviceGetCount(int *count) {
    if (!initialized)
        return NOT_INITIALIZED;
    if (trouble("cuDeviceGetCount"))
        return NO_DEVICE;
    *count = gpu_count;
    return SUCCESS;
}

/* A device is a number of CUDA's own choice. */
int cuDeviceGet(int *device, int ordinal) {
    if (ordinal < 0 || ordinal >= gpu_count)
        return INVALID_VALUE;
    *device = ordinal + 40;
    return SUCCESS;
}

#ifdef OLD_LIBRARY
int cuDeviceGetUuid(CUuuid *uuid, int device) {
#else
int cuDeviceGetUuid_v2(CUuuid *uuid, int device) {
#endif
    if (device < 40 || device >= gpu_count + 40)
        return INVALID_VALUE;
    if (trouble("cuDeviceGetUuid"))
        return NO_DEVICE;
    *uuid = gpus[device - 40];
    return SUCCESS;
}

int cuGetErrorName(int code, const char **name) {
    *name = code == NO_DEVICE ? "CUDA_ERROR_NO_DEVICE" : NULL;
    return *name ? SUCCESS : INVALID_VALUE;
}
