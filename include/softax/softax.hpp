// softax: softmax over axes. This header is the library; the edges, marked +, are included one by one where they are wanted.
//
// Rooms:
//   detail/error        every throw, by name
//   index_list          integers inside the object: shape, strides, axes
//   axes                what a caller wrote -> canonical axes
//   layout              shape and strides: permute, slice, broadcast, reshape as plain functions
//   detail/traverse     collapse a layout, walk it, copy it row-major
//   dtype               half, bfloat16; the type a type is computed in
//   detail/buffer       owned 64-byte aligned memory
//   view                pointer + layout: someone else's elements
//   detail/overlap      whether memories touch
//   array               buffer + layout: the owner; knows nothing of Eigen
//   detail/partition    shape + axes + strides -> outer x reduce x inner
//   detail/masked_axes  what the axes of a partition are to its mask
//   detail/answers      how many elements a mask leaves of a group
//   detail/team         threads, as the kernels ask for them
//   detail/isa          the instruction set of the flags, by name
//   detail/half_lanes   halves to and from floats, many abreast, without an instruction for it
//   detail/packet       vector registers; the only door to the inside of Eigen
//   detail/packet_bits  what they do that Eigen has no name for
//   detail/past_caches  memory asked for early, stores that leave the caches alone
//   detail/x86          packets for regions of wider instruction sets
//   detail/x86_lanes    what they do across lanes
//   detail/choose       one of two packets, as bools in memory say
//   detail/pack         a few packets, every step for all of them at once
//   detail/request      what a call asks of the kernels beside the form
//   detail/exponential  exp(x - m), up to a factor that cancels
//   detail/wide         numbers as the sum of two doubles
//   detail/sum          the order of summation, and the quotient
//   detail/logarithm    of a sum; the extra logit
//   detail/log_lanes    sums and logarithms, a group in each lane
//   detail/logarithms   of several groups, side by side
//   detail/conversions  elements of any type on their way to packets and back
//   detail/groups       where groups lie, and which elements take part
//   detail/bytes        what masks say as bytes, copied and repeated
//   detail/row_max      the largest element of a row; rows that are moved, rows without a sum
//   detail/outcome      what becomes of an element once the sum of its row is known
//   detail/row_sums     the passes over a row
//   detail/row          the kernel for neighbours along the reduction
//   detail/row_twice    for a row that caches do not keep
//   detail/row_block    the same for several short ones at once
//   detail/panel_bits   what a mask says of a panel, a bit each
//   detail/panel_sources  the rows of a panel as its passes read them
//   detail/panel_maxima the first pass over a panel
//   detail/panel_sums   the sums of the columns of a panel
//   detail/panel_exponentials  the second pass over it
//   detail/panel_results  the last pass over a panel
//   detail/panel_passes all of them, and what waits between
//   detail/panel        the kernel for neighbours across it
//   detail/strip_elements some short groups in L1, and the way there and back
//   detail/strip        the kernel for short groups
//   detail/short_row    for very few of them
//   detail/bits         elements of any type as bits
//   detail/byte_tiles   what masks say, transposed as bits
//   detail/packed_answers the same of many rows
//   detail/byte_squares the same as bytes
//   detail/interleave   bytes of few rows in turn
//   detail/byte_pattern short axes of bytes at once
//   detail/tile_mover   tiles of what a mask says
//   detail/move_squares rectangles of elements, transposed
//   detail/move         elements between strided memories, converted and masked
//   detail/masked_runs  short pieces, masked in longer runs
//   detail/mask_mover   what masks say, moved to where it is wanted
//   detail/row_mask     of a long row, a piece at a time
//   detail/long_row     one row on several threads
//   detail/left_out     results of what a mask leaves out
//   detail/long_panel   one panel on several threads
//   detail/integers     wide ones, less their maximum before they are rounded
//   detail/fitness      whether a kernel takes what lies there
//   detail/group_blocks groups, some at a time
//   detail/packed_mask  many rows of a transposed mask
//   detail/block_mask   masks that lie otherwise than elements
//   detail/near_mask    masks of few elements
//   detail/panel_room   what of a panel waits in a scratch
//   detail/plan         which kernel, and where
//   detail/chosen_kernel the kernel of a plan and its scratch
//   detail/apply        every group to its kernel
//   detail/kernel_files all of these in their order
//   detail/targets      includes them once for each instruction set
//   detail/kernels      the kernels, and which instruction set runs
//   detail/shared_groups  all groups of a call on several threads
//   detail/gradient_plan      the rules of derivatives, and how their groups are cut
//   detail/gradient_class_places  where groups of classes lie
//   detail/gradient_elements  their formulas in packets
//   detail/gradient_runs      sums and results of groups that are runs
//   detail/gradient_columns   of groups side by side
//   detail/gradient_blocks    every block to its kernel
//   detail/gradient_class_sums   sums and logarithms of the groups of cross entropy
//   detail/gradient_class_block  some of its groups, and what they come to
//   detail/gradient_few_classes  cross entropy of few classes, side by side
//   detail/gradient_class_runs   maximum and sums of groups that are runs
//   detail/gradient_classes      of many, as runs
//   detail/gradient_files     these in their order
//   detail/gradients          these kernels by instruction set; slabs that stay in cache
//   detail/crew         threads of a stream
//   detail/turns        whose turn it is in a stream
//   stream              device, stream: where and on how many threads
//   options             what may be said beside the axes
//   softmax             the family
//   async               the family as futures
//   detail/gradient_door      what gradients check, and their operands
//   gradient            derivatives of the family
//   cross_entropy       loss of logits and targets, with its gradient
//   detail/group_pieces       the groups of strided memory, a piece at a time
//   detail/normalizer_kernels maxima and sums of rows; merges
//   detail/normalizer_state   maximum and the rest of the sum
//   detail/finish_kernels     elements of groups of which the sum is known
//   detail/normalizer_finish  what becomes of logits then
//   detail/normalizer_pieces  pieces of groups: what a mask leaves, long integers
//   detail/normalizer_groups  a state for each group
//   normalizer          the running state: push, merge, finish
//   eigen               + Eigen objects as views, and back
//   npy                 + NumPy's .npy files
//   print               + operator<<
//   detail/mpi_messages       + what the ranks tell each other
//   mpi                 + the family over the ranks of a communicator
//   softax              the map
//
// A header includes only headers above it; tests/rooms holds it to that. The way of the data: view -> canonical axes (all
// errors here) -> partition -> a stream runs independent parts -> a block that lies wrong is moved -> row, panel or strip
// kernel -> packets.
#pragma once

#include "async.hpp"
#include "cross_entropy.hpp"
#include "normalizer.hpp"
