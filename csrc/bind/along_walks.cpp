// Binds what games of a model ask along walks: masked inputs and the running sums of a linear layer.
#include "bind/along_walks.h"

#include "bind/lane_builds.h"
#include "ops/masked_walks.h"
#include "ops/running_sums.h"

using py::arg;

namespace fsa {

namespace {

Ragged<const int32_t> ragged_of(const std::optional<Array<int32_t>>& flat, const std::optional<Array<int64_t>>& offsets) {
  return {data_or_null(flat), data_or_null(offsets)};
}

template <class Number, class Bits>
void bind_masked_walks(py::module_& m) {
  m.def("masked_walks",
        [](Array<Number> out, const Walks& walks, int64_t n_walks, int64_t first, Array<Number> inputs, Array<int64_t> items,
           std::optional<Array<int32_t>> entries, std::optional<Array<int64_t>> offsets, Array<Number> background,
           Array<int64_t> behind, int64_t begin, int64_t end, Array<int32_t> cancel) {
          const auto bits = [](const Array<Number>& a) {
            return Rows<const Bits>{reinterpret_cast<const Bits*>(a.data()), a.shape(0), a.shape(1)};
          };
          const MaskedWalks<Bits> body{walks, n_walks, first,
                                       {reinterpret_cast<Bits*>(out.mutable_data()), out.shape(0), out.shape(1)},
                                       bits(inputs), items.data(), ragged_of(entries, offsets), bits(background),
                                       behind.data()};
          py::gil_scoped_release released;
          masked_walks(body, {begin, end}, flag_of(cancel));
        },
        arg("out").noconvert(), arg("walks"), arg("n_walks"), arg("first"), arg("inputs").noconvert(),
        arg("items").noconvert(), arg("entries").noconvert(), arg("offsets").noconvert(), arg("background").noconvert(),
        arg("behind").noconvert(), arg("begin"), arg("end"), arg("cancel").noconvert());
}

template <class Number>
void bind_running_sums(py::module_& m) {
  m.def("running_sums",
        [](Array<Number> out, Array<Number> starts, Array<int32_t> joining, Array<Number> columns,
           std::optional<Array<int32_t>> entries, std::optional<Array<int64_t>> offsets, Array<Number> inputs,
           Array<int64_t> items, Array<Number> background, Array<int64_t> behind, bool rectified, int64_t begin, int64_t end,
           Array<Number> scratch, Array<int32_t> cancel, bool portable_build) {
          const RunningSums<Number> body{out.mutable_data(), rows_of(starts), rows_of(joining), rows_of(columns),
                                         ragged_of(entries, offsets), rows_of(inputs), items.data(), rows_of(background),
                                         behind.data(), rectified};
          using Launch = void(const RunningSums<Number>&, Range, Number*, CancelFlag);
          Launch* launch = FSA_BUILD_OF(Launch, running_sums, portable_build);
          Number* own = scratch.mutable_data();
          py::gil_scoped_release released;
          launch(body, {begin, end}, own, flag_of(cancel));
        },
        arg("out").noconvert(), arg("starts").noconvert(), arg("joining").noconvert(), arg("columns").noconvert(),
        arg("entries").noconvert(), arg("offsets").noconvert(), arg("inputs").noconvert(), arg("items").noconvert(),
        arg("background").noconvert(), arg("behind").noconvert(), arg("rectified"), arg("begin"), arg("end"),
        arg("scratch").noconvert(), arg("cancel").noconvert(), arg("portable_build") = false);
}

}  // namespace

void bind_along_walks(py::module_& m) {
  bind_masked_walks<float, uint32_t>(m);
  bind_masked_walks<double, uint64_t>(m);
  bind_running_sums<float>(m);
  bind_running_sums<double>(m);
}

}  // namespace fsa
