import type { Rule } from './rule.ts';

/**
 * All rules in the order in which they are asked. The file comes first, as it wins for what it declares; then what the
 * tools put in the store, in their own order; then what Kafka's clients made. Among the latter those that deny come first,
 * as a client of Kafka means them without an order: what one of them denies, none of them allows.
 */
export function rulesInOrder(declared: readonly Rule[], stored: readonly Rule[]): Rule[] {
  const [ofKafka, own] = [true, false].map((wanted) =>
    stored.filter(({ kafka }) => (kafka !== undefined) === wanted),
  );
  const [denying, allowing] = (['deny', 'allow'] as const).map((wanted) =>
    ofKafka!.filter(({ effect }) => effect === wanted),
  );
  return [...declared, ...own!, ...denying!, ...allowing!];
}
