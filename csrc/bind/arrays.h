// What the binders share: strict numpy arguments and the pointers in them.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>  // for std::optional

#include "core/view.h"

namespace py = pybind11;

namespace fsa {

template <class T>
using Array = py::array_t<T, py::array::c_style>;

template <class T>
Rows<const T> rows_of(const Array<T>& a) {
  return {a.data(), a.shape(0), a.shape(1)};
}
template <class T>
Rows<T> mutable_rows_of(Array<T>& a) {
  return {a.mutable_data(), a.shape(0), a.shape(1)};
}
// Nothing where Python passed None.
template <class T>
const T* data_or_null(const std::optional<Array<T>>& a) {
  return a ? a->data() : nullptr;
}
inline CancelFlag flag_of(const Array<int32_t>& cancel) { return cancel.data(); }

}  // namespace fsa
