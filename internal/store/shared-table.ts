/** A change of a table that nodes share. */
export interface SharedChange {
  readonly key: string;
  /** Undefined: there is none any more. */
  readonly value: Uint8Array | undefined;
  /** Grows with each change of the table. */
  readonly sequence: number;
}

/** Told of changes, in the one order that all nodes see. What it throws at is passed over: no node wrote that. */
export type SharedListener = (change: SharedChange) => void;

/**
 * Values by their keys that all nodes of a cluster have. Each of them hears of the changes in the same order, so that all end
 * with the same. Keys are any text.
 */
export interface SharedTable {
  /** What a key and its value may have together. */
  readonly maxBytes: number;
  /**
   * Tells what is there and resolves; after that `listener` hears what others change. It hears what this node puts only where that
   * is seen before its sequence is known.
   *
   * @throws StoreError
   */
  open(listener: SharedListener): Promise<void>;
  /**
   * Puts a value in the place of whatever is there, undefined for none. Resolves with its sequence when it lasts.
   *
   * @param expiresAtMs when nobody wants it any more; it then goes without a change that is told.
   * @throws StoreError
   */
  put(key: string, value: Uint8Array | undefined, expiresAtMs?: number): Promise<number>;
  /**
   * The same only where `sequence` is still the last change of the key, 0 where there was none; undefined where it is not.
   *
   * @throws StoreError
   */
  swap(key: string, sequence: number, value: Uint8Array | undefined): Promise<number | undefined>;
  /**
   * The last change of a key that nobody can have missed; undefined where there is none. What no node wrote is a value that nobody can read.
   *
   * @throws StoreError
   */
  get(key: string): Promise<SharedChange | undefined>;
}

/** The tables of a cluster. */
export interface SharedTables {
  /** By topic. */
  readonly retained: SharedTable;
  /** By the node and the id of the client that left them. */
  readonly wills: SharedTable;
  /** Users, rules and limits, as one value. */
  readonly access: SharedTable;
}
