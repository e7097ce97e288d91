/* A libnvidia-ml.so.1 of our own: it answers what a text file says, so that pynvml's real loading path runs.
 *
 * The file is named by FAKE_NVML_MACHINE. One line, one fact; what stands before the first `gpu` is about the
 * machine, what follows a `gpu` is about that GPU (machines/ has examples):
 *
 *     driver 550.54.15                     what nvmlSystemGetDriverVersion says
 *     cuda 12040                           what nvmlSystemGetCudaDriverVersion says
 *     libcuda 12090                        what nvmlSystemGetCudaDriverVersion_v2 says; without the line the same
 *     gpu                                  one more GPU; then its name, uuid, bus, brand, capability, memory_mib
 *     mig on                               or `mig off`; without the line the GPU cannot do MIG
 *     instance MIG-0a1b 9984 H100 MIG 1g   uuid, memory and name of a slice; `instance -` is an empty place
 *     fail nvmlDeviceGetName 3             the call returns that code; `hang NAME` never returns, `crash NAME` dies
 *
 * With -DOLD_LIBRARY the library is one from before MIG and before the second CUDA question.
 * Signatures and layouts: nvml.h as nvidia-ml-py 13.615 repeats them; tests/host/test_library.py compares the sizes.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6 };
enum { MOST_GPUS = 8, MOST_INSTANCES = 8, MOST_TROUBLES = 32 };
enum { FAIL, HANG, CRASH };

struct device {
    char name[96], uuid[96], bus[32];
    unsigned brand;
    int major, minor;
    unsigned long long memory_mib;
    int mig; /* -1: not supported */
    unsigned places;
    struct device *instances[MOST_INSTANCES]; /* NULL: an empty place */
};

struct trouble {
    char function[64];
    int kind, code;
    const struct device *device; /* NULL: with every device, and without one */
};

typedef struct {
    unsigned long long total, free, used;
} nvmlMemory_t;

typedef struct {
    char busIdLegacy[16];
    unsigned domain, bus, device, pciDeviceId, pciSubSystemId;
    char busId[32];
} nvmlPciInfo_t;

const unsigned long fake_nvml_sizeof_memory = sizeof(nvmlMemory_t);
const unsigned long fake_nvml_sizeof_pci_info = sizeof(nvmlPciInfo_t);

static char driver[80];
static int cuda, libcuda;
static struct device gpus[MOST_GPUS];
static unsigned gpu_count;
static struct trouble troubles[MOST_TROUBLES];
static unsigned trouble_count;
static int initialized;

static void refuse(const char *line) {
    fprintf(stderr, "fake_nvml: cannot read: %s\n", line);
    exit(64);
}

static void read_trouble(int kind, const char *rest, const struct device *gpu) {
    struct trouble *one = &troubles[trouble_count++];
    if (trouble_count > MOST_TROUBLES || sscanf(rest, "%63s %d", one->function, &one->code) < 1 + (kind == FAIL))
        refuse(rest);
    one->kind = kind;
    one->device = gpu;
}

static void read_instance(const char *rest, struct device *gpu) {
    if (!gpu || gpu->places == MOST_INSTANCES)
        refuse(rest);
    struct device **place = &gpu->instances[gpu->places++];
    if (!strcmp(rest, "-"))
        return;
    *place = calloc(1, sizeof **place);
    if (sscanf(rest, "%95s %llu %95[^\n]", (*place)->uuid, &(*place)->memory_mib, (*place)->name) != 3)
        refuse(rest);
}

static void read_line(char *line) {
    struct device *gpu = gpu_count ? &gpus[gpu_count - 1] : NULL;
    char *rest = strchr(line, ' ');
    rest = rest ? (*rest = 0, rest + 1) : line + strlen(line);
    if (!*line || *line == '#')
        return;
    if (!strcmp(line, "gpu") && gpu_count < MOST_GPUS)
        gpus[gpu_count++].mig = -1;
    else if (!strcmp(line, "driver"))
        snprintf(driver, sizeof driver, "%s", rest);
    else if (!strcmp(line, "cuda"))
        cuda = atoi(rest);
    else if (!strcmp(line, "libcuda"))
        libcuda = atoi(rest);
    else if (!strcmp(line, "fail"))
        read_trouble(FAIL, rest, gpu);
    else if (!strcmp(line, "hang"))
        read_trouble(HANG, rest, gpu);
    else if (!strcmp(line, "crash"))
        read_trouble(CRASH, rest, gpu);
    else if (!strcmp(line, "instance"))
        read_instance(rest, gpu);
    else if (gpu && !strcmp(line, "name"))
        snprintf(gpu->name, sizeof gpu->name, "%s", rest);
    else if (gpu && !strcmp(line, "uuid"))
        snprintf(gpu->uuid, sizeof gpu->uuid, "%s", rest);
    else if (gpu && !strcmp(line, "bus"))
        snprintf(gpu->bus, sizeof gpu->bus, "%s", rest);
    else if (gpu && !strcmp(line, "brand"))
        gpu->brand = (unsigned)atoi(rest);
    else if (gpu && !strcmp(line, "capability") && sscanf(rest, "%d.%d", &gpu->major, &gpu->minor) == 2)
        return;
    else if (gpu && !strcmp(line, "memory_mib"))
        gpu->memory_mib = strtoull(rest, NULL, 10);
    else if (gpu && !strcmp(line, "mig"))
        gpu->mig = !strcmp(rest, "on");
    else
        refuse(line);
}

static void read_machine(void) {
    const char *path = getenv("FAKE_NVML_MACHINE");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[512];
    if (!file)
        refuse(path ? path : "FAKE_NVML_MACHINE is not set");
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        read_line(line);
    }
    fclose(file);
}

/* Returns the code that the machine file wants from this call, if it lets the call return at all. */
static int code_of(const char *function, const struct device *device) {
    for (unsigned i = 0; i < trouble_count; i++) {
        const struct trouble *one = &troubles[i];
        if (strcmp(one->function, function) || (one->device && one->device != device))
            continue;
        if (one->kind == FAIL)
            return one->code;
        if (one->kind == CRASH)
            raise(SIGSEGV);
        fprintf(stderr, "fake_nvml: %s hangs\n", function);
        for (;;)
            pause();
    }
    return initialized ? SUCCESS : UNINITIALIZED;
}

#define ANSWER(device)                                                                                             \
    do {                                                                                                           \
        int code = code_of(__func__, device);                                                                      \
        if (code)                                                                                                  \
            return code;                                                                                           \
    } while (0)

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    read_machine();
    initialized = 1;
    int code = code_of(__func__, NULL);
    initialized = code == SUCCESS;
    return code;
}

int nvmlShutdown(void) {
    ANSWER(NULL);
    initialized = 0;
    return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    ANSWER(NULL);
    snprintf(version, length, "%s", driver);
    return SUCCESS;
}

int nvmlSystemGetCudaDriverVersion(int *version) {
    ANSWER(NULL);
    *version = cuda;
    return SUCCESS;
}

#ifndef OLD_LIBRARY
int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    ANSWER(NULL);
    *version = libcuda ? libcuda : cuda;
    return SUCCESS;
}
#endif

int nvmlDeviceGetCount_v2(unsigned *count) {
    ANSWER(NULL);
    *count = gpu_count;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **device) {
    if (index >= gpu_count)
        return INVALID_ARGUMENT;
    ANSWER(&gpus[index]);
    *device = &gpus[index];
    return SUCCESS;
}

int nvmlDeviceGetName(const struct device *device, char *name, unsigned length) {
    ANSWER(device);
    snprintf(name, length, "%s", device->name);
    return SUCCESS;
}

int nvmlDeviceGetUUID(const struct device *device, char *uuid, unsigned length) {
    ANSWER(device);
    snprintf(uuid, length, "%s", device->uuid);
    return SUCCESS;
}

int nvmlDeviceGetBrand(const struct device *device, unsigned *brand) {
    ANSWER(device);
    *brand = device->brand;
    return SUCCESS;
}

int nvmlDeviceGetCudaComputeCapability(const struct device *device, int *major, int *minor) {
    ANSWER(device);
    *major = device->major;
    *minor = device->minor;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(const struct device *device, nvmlMemory_t *memory) {
    ANSWER(device);
    memory->total = memory->free = device->memory_mib << 20;
    memory->used = 0;
    return SUCCESS;
}

int nvmlDeviceGetPciInfo_v3(const struct device *device, nvmlPciInfo_t *info) {
    ANSWER(device);
    memset(info, 0, sizeof *info);
    snprintf(info->busId, sizeof info->busId, "%s", device->bus);
    sscanf(device->bus, "%x:%x:%x", &info->domain, &info->bus, &info->device);
    return SUCCESS;
}

#ifndef OLD_LIBRARY
int nvmlDeviceGetMigMode(const struct device *device, unsigned *current, unsigned *pending) {
    ANSWER(device);
    if (device->mig < 0)
        return NOT_SUPPORTED;
    *current = *pending = (unsigned)device->mig;
    return SUCCESS;
}

int nvmlDeviceGetMaxMigDeviceCount(const struct device *device, unsigned *count) {
    ANSWER(device);
    *count = device->places;
    return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(const struct device *device, unsigned index, struct device **instance) {
    ANSWER(device);
    if (index >= device->places || !device->instances[index])
        return NOT_FOUND;
    *instance = device->instances[index];
    return SUCCESS;
}
#endif
