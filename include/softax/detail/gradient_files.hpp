// gradient_files: what makes the kernels of gradients of one instruction set, in their order, after those of kernel_files.hpp.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
// clang-format off
#include "gradient_elements.hpp"
#include "gradient_kernels.hpp"
#include "gradient_blocks.hpp"
// clang-format on
#endif
