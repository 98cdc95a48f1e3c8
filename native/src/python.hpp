// Functions of Python made of functions of C++, by the limited API of Python 3.11: one binary for it and all later versions.
//
// Arguments are numbers, flags, and sequences of them, by position. The interpreter's lock is released while a function runs.
#pragma once

#ifndef Py_LIMITED_API  // CMake defines it
#define Py_LIMITED_API 0x030b0000
#endif
#include <Python.h>

#include <array>
#include <exception>
#include <limits>
#include <new>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace voxgate::python {

struct Raised {};  // thrown when an error of Python's is set

// Return what a function of Python's API returned. Where it is the value that may stand for an error, ask whether it does.
template <class Value>
Value checked(Value value, Value of_error = static_cast<Value>(-1)) {
  if (value == of_error && PyErr_Occurred()) throw Raised{};
  return value;
}

template <class Value>
Value number(PyObject *from) {
  if constexpr (std::is_same_v<Value, bool>) {
    return checked(PyObject_IsTrue(from)) != 0;
  } else if constexpr (std::is_floating_point_v<Value>) {
    return static_cast<Value>(checked(PyFloat_AsDouble(from)));
  } else if constexpr (std::is_unsigned_v<Value>) {
    static_assert(sizeof(Value) == sizeof(std::size_t));
    return checked(PyLong_AsSize_t(from));
  } else {
    const Py_ssize_t value = checked(PyLong_AsSsize_t(from));
    if (value < std::numeric_limits<Value>::min() || value > std::numeric_limits<Value>::max()) {
      PyErr_Format(PyExc_OverflowError, "%zd does not fit into the argument", value);
      throw Raised{};
    }
    return static_cast<Value>(value);
  }
}

template <class Value>
Value item(PyObject *sequence, Py_ssize_t index) {
  PyObject *const from = PySequence_GetItem(sequence, index);
  if (!from) throw Raised{};
  struct Reference {
    PyObject *to;
    ~Reference() { Py_DecRef(to); }
  } held{from};
  return number<Value>(from);
}

// How a type of argument is read: numbers here, the others below.
template <class Value>
struct Argument {
  static Value read(PyObject *from) { return number<Value>(from); }
};

template <>
struct Argument<std::string> {
  static std::string read(PyObject *from) {
    Py_ssize_t size;
    const char *const text = PyUnicode_AsUTF8AndSize(from, &size);
    if (!text) throw Raised{};
    return {text, static_cast<std::size_t>(size)};
  }
};

template <class Value, std::size_t count>
struct Argument<std::array<Value, count>> {
  static std::array<Value, count> read(PyObject *from) {
    if (checked(PySequence_Size(from)) != static_cast<Py_ssize_t>(count)) {
      PyErr_Format(PyExc_TypeError, "a sequence has another length than %zd", static_cast<Py_ssize_t>(count));
      throw Raised{};
    }
    std::array<Value, count> values;
    for (std::size_t index = 0; index < count; index++) values[index] = item<Value>(from, static_cast<Py_ssize_t>(index));
    return values;
  }
};

template <class Value>
struct Argument<std::vector<Value>> {
  static std::vector<Value> read(PyObject *from) {
    std::vector<Value> values(static_cast<std::size_t>(checked(PySequence_Size(from))));
    for (std::size_t index = 0; index < values.size(); index++) values[index] = item<Value>(from, static_cast<Py_ssize_t>(index));
    return values;
  }
};

inline PyObject *object(bool value) { return PyBool_FromLong(value); }
inline PyObject *object(double value) { return PyFloat_FromDouble(value); }
inline PyObject *object(long value) { return PyLong_FromLong(value); }
inline PyObject *object(std::size_t value) { return PyLong_FromSize_t(value); }
inline PyObject *object(const std::string &value) {
  return PyUnicode_FromStringAndSize(value.data(), static_cast<Py_ssize_t>(value.size()));
}

template <class Value>
PyObject *object(const std::vector<Value> &values) {
  PyObject *const list = PyList_New(static_cast<Py_ssize_t>(values.size()));
  for (std::size_t index = 0; list && index < values.size(); index++) {
    PyObject *const value = object(values[index]);
    if (!value || PyList_SetItem(list, static_cast<Py_ssize_t>(index), value) != 0) {
      Py_DecRef(list);
      return nullptr;
    }
  }
  return list;
}

class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked() { PyEval_RestoreThread(state_); }
  Unlocked(const Unlocked &) = delete;
  Unlocked &operator=(const Unlocked &) = delete;

 private:
  PyThreadState *state_;
};

template <auto function>
struct Function;

template <class Result, class... Arguments, Result (*function)(Arguments...)>
struct Function<function> {
  static PyObject *call(PyObject *, PyObject *const *values, Py_ssize_t count) {
    constexpr Py_ssize_t EXPECTED = sizeof...(Arguments);
    if (count != EXPECTED) {
      PyErr_Format(PyExc_TypeError, "the function takes %zd arguments, not %zd", EXPECTED, count);
      return nullptr;
    }
    try {
      return call(values, std::index_sequence_for<Arguments...>{});
    } catch (const Raised &) {
      return nullptr;
    } catch (const std::bad_alloc &) {
      return PyErr_NoMemory();
    } catch (const std::exception &error) {  // a sequence too long for a vector
      PyErr_SetString(PyExc_RuntimeError, error.what());
      return nullptr;
    }
  }

 private:
  template <std::size_t... index>
  static PyObject *call([[maybe_unused]] PyObject *const *values, std::index_sequence<index...>) {
    // In braces, from the first to the last: the first that is wrong is the one that is named.
    const std::tuple<std::decay_t<Arguments>...> arguments{Argument<std::decay_t<Arguments>>::read(values[index])...};
    if constexpr (std::is_void_v<Result>) {
      {
        const Unlocked unlocked;
        function(std::get<index>(arguments)...);
      }
      return Py_BuildValue("");  // None
    } else {
      const auto result = [&] {
        const Unlocked unlocked;
        return function(std::get<index>(arguments)...);
      }();
      return object(result);
    }
  }
};

// One line of a module's table of functions.
template <auto function>
PyMethodDef method(const char *name) {
  PyObject *(*const call)(PyObject *, PyObject *const *, Py_ssize_t) = &Function<function>::call;
  return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call)), METH_FASTCALL, nullptr};
}

}  // namespace voxgate::python
