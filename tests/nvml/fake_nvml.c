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
 *     free_mib 15000                       without the line all of its memory
 *     utilization 80                       percent; with persistence 1, compute_mode 3, ecc 1, uncorrected 2,
 *                                          retirement_pending 1 and clocks 72 (a mask) the GPU's other numbers;
 *                                          without the line the call is not supported
 *     pcie 3 8 4 16                        generation and width, then the most of both
 *     remap 1 0                            rows to be exchanged: pending, failed
 *     nvlinks 1101                         the state of each link; one beyond them is an invalid argument
 *     fabric 3 0                           its state and, where that is 3, NVML's code of its status
 *     licensed 1                           a virtual GPU with its licence; 0 without it
 *     process 4242 512 /usr/bin/python3    pid, memory and name; `mps` in place of `process`: behind MPS
 *     fail nvmlDeviceGetName 3             the call returns that code; `hang NAME` never returns, `crash NAME` dies,
 *                                          `slow NAME 0.5` takes that many seconds
 *
 * With -DOLD_LIBRARY the library is one from before MIG, before the second CUDA question and before the second
 * name of the clocks' reasons.
 * Signatures and layouts: nvml.h as nvidia-ml-py 13.615 repeats them; tests/host/test_library.py compares the sizes.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
enum { MOST_GPUS = 8, MOST_INSTANCES = 8, MOST_TROUBLES = 32, MOST_PROCESSES = 8 };
enum { FAIL, HANG, CRASH, SLOW };
enum { UNSAID = -1 };
enum { VGPU = 2, COMPLETED = 3 };

/* What is one number of a GPU, by its word in the machine's file. */
enum number { UTILIZATION, PERSISTENCE, COMPUTE_MODE, ECC, UNCORRECTED, RETIREMENT_PENDING, CLOCKS, LICENSED, NUMBERS };
static const char *const WORDS[NUMBERS] = {
    "utilization", "persistence", "compute_mode", "ecc", "uncorrected", "retirement_pending", "clocks", "licensed",
};

struct process {
    unsigned pid;
    unsigned long long memory_mib;
    char name[96];
    int behind_mps;
};

struct device {
    char name[96], uuid[96], bus[32];
    unsigned brand;
    int major, minor;
    unsigned long long memory_mib, used_mib;
    int mig; /* UNSAID: not supported */
    int numbers[NUMBERS];
    int pcie[4], remap[2], fabric[2];
    char nvlinks[40];
    struct process processes[MOST_PROCESSES];
    unsigned process_count;
    unsigned places;
    struct device *instances[MOST_INSTANCES]; /* NULL: an empty place */
};

struct trouble {
    char function[64];
    int kind, code;
    double seconds;
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

typedef struct {
    unsigned gpu, memory;
} nvmlUtilization_t;

typedef struct {
    unsigned pid;
    unsigned long long usedGpuMemory;
    unsigned gpuInstanceId, computeInstanceId;
} nvmlProcessInfo_t;

typedef struct {
    unsigned char clusterUuid[16];
    unsigned status, cliqueId, state;
} nvmlGpuFabricInfo_t;

typedef struct {
    unsigned version;
    unsigned char clusterUuid[16];
    unsigned status, cliqueId, state, healthMask;
} nvmlGpuFabricInfo_v2_t;

typedef struct {
    unsigned year;
    unsigned short month, day, hour, min, sec;
    unsigned char status;
} nvmlGridLicenseExpiry_t;

typedef struct {
    int isGridLicenseSupported;
    unsigned licensableFeaturesCount;
    struct {
        unsigned featureCode, featureState;
        char licenseInfo[128], productName[128];
        unsigned featureEnabled;
        nvmlGridLicenseExpiry_t licenseExpiry;
    } gridLicensableFeatures[3];
} nvmlGridLicensableFeatures_v4_t;

const unsigned long fake_nvml_sizeof_utilization = sizeof(nvmlUtilization_t);
const unsigned long fake_nvml_sizeof_process_info = sizeof(nvmlProcessInfo_t);
const unsigned long fake_nvml_sizeof_fabric_info = sizeof(nvmlGpuFabricInfo_t);
const unsigned long fake_nvml_sizeof_fabric_info_v2 = sizeof(nvmlGpuFabricInfo_v2_t);
const unsigned long fake_nvml_sizeof_licensable_features = sizeof(nvmlGridLicensableFeatures_v4_t);
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
    int wanted = kind == FAIL || kind == SLOW ? 2 : 1;
    if (trouble_count > MOST_TROUBLES || sscanf(rest, "%63s %lf", one->function, &one->seconds) < wanted)
        refuse(rest);
    one->code = (int)one->seconds;
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

static void read_process(const char *rest, struct device *gpu, int behind_mps) {
    if (!gpu || gpu->process_count == MOST_PROCESSES)
        refuse(rest);
    struct process *one = &gpu->processes[gpu->process_count++];
    if (sscanf(rest, "%u %llu %95[^\n]", &one->pid, &one->memory_mib, one->name) != 3)
        refuse(rest);
    one->behind_mps = behind_mps;
}

static void add_gpu(void) {
    struct device *gpu = &gpus[gpu_count++];
    gpu->mig = gpu->pcie[0] = gpu->remap[0] = gpu->fabric[0] = UNSAID;
    for (int i = 0; i < NUMBERS; i++)
        gpu->numbers[i] = UNSAID;
}

/* Returns whether the word is one of a GPU's numbers, and takes it. */
static int read_number(const char *word, const char *rest, struct device *gpu) {
    for (int i = 0; gpu && i < NUMBERS; i++) {
        if (!strcmp(word, WORDS[i])) {
            gpu->numbers[i] = (int)strtol(rest, NULL, 0);
            return 1;
        }
    }
    return 0;
}

/* Returns whether the word is one that several numbers follow, and takes them. */
static int read_numbers(const char *word, const char *rest, struct device *gpu) {
    if (!gpu)
        return 0;
    if (!strcmp(word, "pcie"))
        return sscanf(rest, "%d %d %d %d", gpu->pcie, gpu->pcie + 1, gpu->pcie + 2, gpu->pcie + 3) == 4;
    if (!strcmp(word, "remap"))
        return sscanf(rest, "%d %d", gpu->remap, gpu->remap + 1) == 2;
    return !strcmp(word, "fabric") && sscanf(rest, "%d %d", gpu->fabric, gpu->fabric + 1) >= 1;
}

static void read_line(char *line) {
    struct device *gpu = gpu_count ? &gpus[gpu_count - 1] : NULL;
    char *rest = strchr(line, ' ');
    rest = rest ? (*rest = 0, rest + 1) : line + strlen(line);
    if (!*line || *line == '#')
        return;
    if (!strcmp(line, "gpu") && gpu_count < MOST_GPUS)
        add_gpu();
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
    else if (!strcmp(line, "slow"))
        read_trouble(SLOW, rest, gpu);
    else if (!strcmp(line, "process") || !strcmp(line, "mps"))
        read_process(rest, gpu, *line == 'm');
    else if (read_number(line, rest, gpu) || read_numbers(line, rest, gpu))
        return;
    else if (gpu && !strcmp(line, "nvlinks"))
        snprintf(gpu->nvlinks, sizeof gpu->nvlinks, "%s", rest);
    else if (gpu && !strcmp(line, "free_mib"))
        gpu->used_mib = gpu->memory_mib - strtoull(rest, NULL, 10);
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
        if (one->kind == SLOW) {
            usleep((useconds_t)(one->seconds * 1e6));
            continue;
        }
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
    memory->total = device->memory_mib << 20;
    memory->used = device->used_mib << 20;
    memory->free = memory->total - memory->used;
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

/* A question that one number of the machine's file answers. */
#define NUMBER(function, type, number)                                                                             \
    int function(const struct device *device, type *value) {                                                       \
        ANSWER(device);                                                                                            \
        if ((number) < 0)                                                                                          \
            return NOT_SUPPORTED;                                                                                  \
        *value = (type)(number);                                                                                   \
        return SUCCESS;                                                                                            \
    }

NUMBER(nvmlDeviceGetPersistenceMode, unsigned, device->numbers[PERSISTENCE])
NUMBER(nvmlDeviceGetComputeMode, unsigned, device->numbers[COMPUTE_MODE])
NUMBER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, device->numbers[CLOCKS])
NUMBER(nvmlDeviceGetRetiredPagesPendingStatus, unsigned, device->numbers[RETIREMENT_PENDING])
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, unsigned, device->pcie[0])
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, unsigned, device->pcie[0] < 0 ? UNSAID : device->pcie[1])
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, unsigned, device->pcie[0] < 0 ? UNSAID : device->pcie[2])
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, unsigned, device->pcie[0] < 0 ? UNSAID : device->pcie[3])
NUMBER(nvmlDeviceGetVirtualizationMode, unsigned long long, device->numbers[LICENSED] < 0 ? 0 : VGPU)

int nvmlDeviceGetUtilizationRates(const struct device *device, nvmlUtilization_t *rates) {
    ANSWER(device);
    if (device->numbers[UTILIZATION] < 0)
        return NOT_SUPPORTED;
    rates->gpu = (unsigned)device->numbers[UTILIZATION];
    rates->memory = 0;
    return SUCCESS;
}

int nvmlDeviceGetEccMode(const struct device *device, unsigned *current, unsigned *pending) {
    ANSWER(device);
    if (device->numbers[ECC] < 0)
        return NOT_SUPPORTED;
    *current = *pending = (unsigned)device->numbers[ECC];
    return SUCCESS;
}

int nvmlDeviceGetTotalEccErrors(const struct device *device, unsigned type, unsigned counter, unsigned long long *count) {
    ANSWER(device);
    if (device->numbers[UNCORRECTED] < 0)
        return NOT_SUPPORTED;
    /* Type 1 is those that could not be corrected, counter 0 is since the driver was loaded. */
    *count = type == 1 && counter == 0 ? (unsigned long long)device->numbers[UNCORRECTED] : 99;
    return SUCCESS;
}

int nvmlDeviceGetNvLinkState(const struct device *device, unsigned link, unsigned *active) {
    ANSWER(device);
    if (!*device->nvlinks)
        return NOT_SUPPORTED;
    if (link >= strlen(device->nvlinks))
        return INVALID_ARGUMENT;
    *active = device->nvlinks[link] == '1';
    return SUCCESS;
}

/* Writes the processes of one kind, as many as there is room for, and counts them. */
static int write_processes(const struct device *device, int behind_mps, unsigned *count, nvmlProcessInfo_t *infos) {
    unsigned room = infos ? *count : 0, found = 0;
    for (unsigned i = 0; i < device->process_count; i++) {
        const struct process *one = &device->processes[i];
        if (one->behind_mps != behind_mps)
            continue;
        if (found < room) {
            memset(&infos[found], 0, sizeof *infos);
            infos[found].pid = one->pid;
            infos[found].usedGpuMemory = one->memory_mib << 20;
        }
        found++;
    }
    *count = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlSystemGetProcessName(unsigned pid, char *name, unsigned length) {
    ANSWER(NULL);
    for (unsigned gpu = 0; gpu < gpu_count; gpu++) {
        for (unsigned i = 0; i < gpus[gpu].process_count; i++) {
            if (gpus[gpu].processes[i].pid == pid) {
                snprintf(name, length, "%s", gpus[gpu].processes[i].name);
                return SUCCESS;
            }
        }
    }
    return NOT_FOUND;
}

int nvmlDeviceGetComputeRunningProcesses_v2(const struct device *device, unsigned *count, nvmlProcessInfo_t *infos) {
    ANSWER(device);
    return write_processes(device, 0, count, infos);
}

#ifndef OLD_LIBRARY
NUMBER(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, device->numbers[CLOCKS])

int nvmlDeviceGetComputeRunningProcesses_v3(const struct device *device, unsigned *count, nvmlProcessInfo_t *infos) {
    ANSWER(device);
    return write_processes(device, 0, count, infos);
}

int nvmlDeviceGetMPSComputeRunningProcesses_v3(const struct device *device, unsigned *count, nvmlProcessInfo_t *infos) {
    ANSWER(device);
    return write_processes(device, 1, count, infos);
}

int nvmlDeviceGetRemappedRows(const struct device *device, unsigned *corrected, unsigned *uncorrected, unsigned *pending,
                              unsigned *failed) {
    ANSWER(device);
    if (device->remap[0] < 0)
        return NOT_SUPPORTED;
    *corrected = *uncorrected = 99;
    *pending = (unsigned)device->remap[0];
    *failed = (unsigned)device->remap[1];
    return SUCCESS;
}

int nvmlDeviceGetGpuFabricInfo(const struct device *device, nvmlGpuFabricInfo_t *info) {
    ANSWER(device);
    if (device->fabric[0] < 0)
        return NOT_SUPPORTED;
    info->state = (unsigned)device->fabric[0];
    info->status = device->fabric[0] == COMPLETED ? (unsigned)device->fabric[1] : 99;
    return SUCCESS;
}

int nvmlDeviceGetGpuFabricInfoV(const struct device *device, nvmlGpuFabricInfo_v2_t *info) {
    ANSWER(device);
    if (info->version != (sizeof *info | 2 << 24))
        return INVALID_ARGUMENT;
    nvmlGpuFabricInfo_t older;
    int code = nvmlDeviceGetGpuFabricInfo(device, &older);
    info->state = older.state;
    info->status = older.status;
    return code;
}

int nvmlDeviceGetGridLicensableFeatures_v4(const struct device *device, nvmlGridLicensableFeatures_v4_t *features) {
    ANSWER(device);
    memset(features, 0, sizeof *features);
    if (device->numbers[LICENSED] < 0)
        return SUCCESS;
    features->isGridLicenseSupported = 1;
    features->licensableFeaturesCount = 1;
    features->gridLicensableFeatures[0].featureState = (unsigned)device->numbers[LICENSED];
    return SUCCESS;
}
#endif
