// What the checks have in common: random numbers, the level that is checked, and comparisons.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "levels.hpp"

namespace voxgate {

constexpr int THREADS = 3, MANY_THREADS = 40;  // the second: more than most shapes here have work for

inline std::mt19937 chance(7);
inline int failures = 0;
inline Level level;  // the one that is checked

inline void expect(bool right, const std::string &what) {
  if (right) return;
  std::printf("%s wrong: %s\n", level.name, what.c_str());
  failures++;
}

inline float number(float value) { return value; }
inline float number(bf16 value) { return widened(value); }

template <class Element>
std::vector<Element> drawn(long count) {
  std::normal_distribution<float> normal;
  std::vector<Element> values(count);
  for (Element &value : values)
    if constexpr (sizeof(Element) == 2)
      value = narrowed(normal(chance));
    else
      value = normal(chance);
  return values;
}

// The relative error of all numbers together.
struct Error {
  double difference = 0, size = 0;
  void add(double ours, double expected) {
    difference += (ours - expected) * (ours - expected);
    size += expected * expected;
  }
  double value() const { return std::sqrt(difference / size); }
};

inline std::string shape(std::initializer_list<long> sizes) {
  std::string text;
  for (long size : sizes) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

template <class Element>
Rows rows_of(const std::vector<Element> &x, long stride) {
  return {x.data(), sizeof(Element) == 4, stride};
}

template <class Element>
std::vector<Element> row_of(const std::vector<Element> &x, long row, long width) {
  return {x.begin() + row * width, x.begin() + (row + 1) * width};
}

template <class Element>
bool same(const std::vector<Element> &a, const std::vector<Element> &b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(Element)) == 0;
}

// As in the GELU by erf.
inline double gelu_of(double x) { return x / 2 * std::erfc(-x / std::sqrt(2.0)); }

// Each compares some of a level's kernels with plain loops.
void check_products();
void check_attention();
void check_steps();
void check_hearing();

}  // namespace voxgate
