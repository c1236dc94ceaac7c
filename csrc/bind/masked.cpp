// Binds masking for numbers of four and of eight bytes.
#include "bind/masked.h"

#include "bind/lane_builds.h"
#include "ops/masked.h"

using py::arg;

namespace fsa {

namespace {

template <class Number, class Bits>
void bind_for(py::module_& m) {
  m.def("masked",
        [](Array<Number> out, Array<Number> inputs, Array<int64_t> items, Array<bool> members,
           std::optional<Array<int32_t>> player_of, Array<Number> background, std::optional<Array<int64_t>> rows,
           int64_t begin, int64_t end, Array<int32_t> cancel, bool portable_build) {
          const auto bits = [](const Number* numbers) { return reinterpret_cast<const Bits*>(numbers); };
          const Masked<Bits> body{reinterpret_cast<Bits*>(out.mutable_data()),
                                  {bits(inputs.data()), inputs.shape(0), inputs.shape(1)},
                                  items.data(),
                                  rows_of(members),
                                  data_or_null(player_of),
                                  {bits(background.data()), background.shape(0), background.shape(1)},
                                  data_or_null(rows),
                                  rows ? 1 : background.shape(0)};
          using Launch = void(const Masked<Bits>&, Range, CancelFlag);
          Launch* launch = FSA_BUILD_OF(Launch, masked, portable_build);
          py::gil_scoped_release released;
          launch(body, {begin, end}, flag_of(cancel));
        },
        arg("out").noconvert(), arg("inputs").noconvert(), arg("items").noconvert(), arg("members").noconvert(),
        arg("player_of").noconvert(), arg("background").noconvert(), arg("rows").noconvert(), arg("begin"), arg("end"),
        arg("cancel").noconvert(), arg("portable_build") = false);
}

}  // namespace

void bind_masked(py::module_& m) {
  bind_for<float, uint32_t>(m);
  bind_for<double, uint64_t>(m);
}

}  // namespace fsa
