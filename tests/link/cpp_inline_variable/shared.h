#pragma once

inline int counter = 10;

inline int &hidden() {
  static int value = 20;
  return value;
}

template <typename T> struct Holder {
  static T value;
};
template <typename T> T Holder<T>::value = 30;
