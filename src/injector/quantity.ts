/** Kubernetes' quantities (`384Mi`, `50m`), as far as the annotations take them. Pure. */

const factors: Readonly<Record<string, number>> = {
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** The larger one, as it is spelled; the first where they are the same amount. */
export function largerQuantity(one: string, other: string): string {
  return amount(other) > amount(one) ? other : one;
}

/** In cores or bytes. */
function amount(quantity: string): number {
  const unit = quantity.replace(/^[\d.]+/, '');
  return Number.parseFloat(quantity) * (factors[unit] ?? 1);
}
