/** What an option may be, with what that is called in a message. */
export interface Kind {
  what: string;
  fits(value: unknown): boolean;
  /** The options within it. */
  within?: Record<string, Kind>;
}

/** Each option of an interface, so that the compiler misses one that was added. */
export type Kinds<Options> = { readonly [Name in keyof Required<Options>]: Kind };

export const text = ofType('string', 'a text');
export const number = ofType('number', 'a number');
export const yesOrNo = ofType('boolean', 'true or false');
export const callback = ofType('function', 'a function');
export const object = ofType('object', 'an object');
export const list: Kind = { what: 'an array', fits: Array.isArray };
export const addresses: Kind = {
  what: "an array of addresses, such as ['tcp://localhost:1883']",
  fits: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
};

/** An object with options of its own. */
export function objectOf(within: Record<string, Kind>): Kind {
  return { ...object, within };
}

function ofType(type: string, what: string): Kind {
  return { what, fits: (value) => typeof value === type && value !== null };
}
