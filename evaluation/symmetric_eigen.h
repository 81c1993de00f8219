// Eigenvalues of small symmetric matrices.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace forger {

/// A = V diag(values) V^T; column j of `vectors` ([n,n], row-major) belongs to values[j]. Ascending.
struct SymmetricEigen {
  std::vector<double> values;
  std::vector<double> vectors;
};

/// Cyclic Jacobi rotations until what is off the diagonal is rounding noise: Golub and Van Loan, "Matrix Computations",
/// section 8.5. a [n,n] is symmetric (its lower half is not read). Throws ShapeError if it is not square, DataError if it
/// holds numbers that are not finite.
SymmetricEigen symmetric_eigen(std::span<const double> a, int64_t n);

/// The root of a positive semidefinite matrix [n,n]; eigenvalues below 0, which are rounding noise, count as 0.
std::vector<double> symmetric_sqrt(std::span<const double> a, int64_t n);

}  // namespace forger
