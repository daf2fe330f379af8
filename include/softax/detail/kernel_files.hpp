// kernel_files: what makes the kernels of one instruction set, in their order.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
// clang-format off
#include "x86.hpp"
#include "x86_lanes.hpp"
#include "choose.hpp"
#include "pack.hpp"
#include "exponential.hpp"
#include "sum.hpp"
#include "logarithm.hpp"
#include "logarithms.hpp"
#include "groups.hpp"
#include "row_sums.hpp"
#include "row.hpp"
#include "row_block.hpp"
#include "long_row.hpp"
#include "panel_sums.hpp"
#include "panel_results.hpp"
#include "panel.hpp"
#include "strip.hpp"
#include "short_row.hpp"
#include "bits.hpp"
#include "move.hpp"
#include "left_out.hpp"
#include "integers.hpp"
#include "plan.hpp"
#include "apply.hpp"
// clang-format on
#endif
