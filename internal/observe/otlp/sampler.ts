/** Which of the traces that messages belong to are exported: https://opentelemetry.io/docs/specs/otel/trace/sdk/#sampler. */
export type Sampler = (traceId: string, isParentSampled: boolean) => boolean;

export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

export type SamplerName = (typeof SAMPLERS)[number];

export function isSamplerName(name: string): name is SamplerName {
  return (SAMPLERS as readonly string[]).includes(name);
}

/**
 * The sampler of a name. A span is made of a message only that belongs to a trace, so it always has a parent: those that
 * are based on it go by it, and what they say of a trace without one has no effect.
 */
export function samplerFor(name: SamplerName, ratio: number): Sampler {
  switch (name) {
    case 'always_on':
      return () => true;
    case 'always_off':
      return () => false;
    case 'traceidratio':
      return byTraceId(ratio);
    default:
      return (_, isParentSampled) => isParentSampled;
  }
}

/** Bits of a trace id that are compared: so many are exact as a number. */
const COMPARED_DIGITS = 13;

/** The same for all who see the trace: it is its last bits that decide, which are random in every version of the context. */
function byTraceId(ratio: number): Sampler {
  const bound = ratio * 16 ** COMPARED_DIGITS;
  return (traceId) => Number.parseInt(traceId.slice(-COMPARED_DIGITS), 16) < bound;
}
