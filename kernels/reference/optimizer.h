// Optimizer updates of one tensor. Every output may be its own input.
#pragma once

#include <cmath>
#include <cstdint>

namespace forger::reference {

/// Kingma and Ba 2015, section 2, in the form that Keras 2 uses; t >= 1 counts this update.
template <class T>
void adam(int64_t n, int64_t t, double lr, double beta1, double beta2, double epsilon, const T* p, const T* g, const T* m,
          const T* v, T* new_p, T* new_m, T* new_v) {
  const double td = static_cast<double>(t);
  const T lr_t = static_cast<T>(lr * std::sqrt(1 - std::pow(beta2, td)) / (1 - std::pow(beta1, td)));
  const T b1 = static_cast<T>(beta1), b2 = static_cast<T>(beta2);
  const T one_minus_b1 = static_cast<T>(1 - beta1), one_minus_b2 = static_cast<T>(1 - beta2);
  for (int64_t i = 0; i < n; ++i) {
    const T mi = b1 * m[i] + one_minus_b1 * g[i];
    const T vi = b2 * v[i] + one_minus_b2 * g[i] * g[i];
    new_p[i] = p[i] - lr_t * mi / (std::sqrt(vi) + static_cast<T>(epsilon));
    new_m[i] = mi;
    new_v[i] = vi;
  }
}

template <class T>
void sgd_momentum(int64_t n, double lr, double momentum, const T* p, const T* g, const T* slot, T* new_p, T* new_slot) {
  for (int64_t i = 0; i < n; ++i) {
    const T s = static_cast<T>(momentum) * slot[i] - static_cast<T>(lr) * g[i];
    new_p[i] = p[i] + s;
    new_slot[i] = s;
  }
}

/// Tieleman and Hinton 2012, lecture 6.5, in Keras's form.
template <class T>
void rmsprop(int64_t n, double lr, double rho, double epsilon, const T* p, const T* g, const T* slot, T* new_p, T* new_slot) {
  for (int64_t i = 0; i < n; ++i) {
    const T s = static_cast<T>(rho) * slot[i] + static_cast<T>(1 - rho) * g[i] * g[i];
    new_p[i] = p[i] - static_cast<T>(lr) * g[i] / (std::sqrt(s) + static_cast<T>(epsilon));
    new_slot[i] = s;
  }
}

}  // namespace forger::reference
