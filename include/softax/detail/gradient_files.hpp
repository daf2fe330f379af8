// gradient_files: what makes the kernels of gradients of one instruction set, in their order, after those of kernel_files.hpp.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
// clang-format off
#include "gradient_elements.hpp"
#include "gradient_runs.hpp"
#include "gradient_columns.hpp"
#include "gradient_blocks.hpp"
#include "gradient_class_sums.hpp"
#include "gradient_class_block.hpp"
#include "gradient_few_classes.hpp"
#include "gradient_class_runs.hpp"
#include "gradient_classes.hpp"
// clang-format on
#endif
