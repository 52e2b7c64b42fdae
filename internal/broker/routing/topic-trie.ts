interface TrieNode<T> {
  children: Map<string, TrieNode<T>> | undefined;
  /** The subtree of `+`. */
  any: TrieNode<T> | undefined;
  /** Whose filter ends at this node. */
  here: Set<T> | undefined;
  /** Whose filter goes on with `#`: they also match what ends at this node. */
  below: Set<T> | undefined;
}

/**
 * Finds everything that is registered under filters which match a topic. Filters are well formed (topic.ts).
 *
 * Filters without wildcards are found by their name alone and cost one map entry, however many levels they have;
 * only the others form a tree of levels.
 */
export class TopicTrie<T> {
  readonly #exact = new Map<string, Set<T>>();
  readonly #root: TrieNode<T> = newNode();

  /** Registers a value under a filter; false where it already was. */
  insert(filter: string, value: T): boolean {
    const values = hasWildcard(filter) ? this.#wildcardSet(filter) : this.#exactSet(filter);
    if (values.has(value)) return false;
    values.add(value);
    return true;
  }

  /** Takes a value away from a filter; false where it was not there. */
  remove(filter: string, value: T): boolean {
    if (hasWildcard(filter)) return removeBelow(this.#root, filter.split('/'), 0, value);
    const values = this.#exact.get(filter);
    if (values === undefined || !values.delete(value)) return false;
    if (values.size === 0) this.#exact.delete(filter);
    return true;
  }

  /** Whether it holds no filter, and no node that one of them left behind. */
  get isEmpty(): boolean {
    return this.#exact.size === 0 && isEmpty(this.#root);
  }

  /** Every value whose filter matches, each once. */
  match(topic: string): Set<T> {
    const found = new Set<T>(this.#exact.get(topic));
    if (!isEmpty(this.#root)) {
      const levels = topic.split('/');
      // Wildcards in the first level never reach the broker's own names.
      if (topic.startsWith('$')) {
        const first = this.#root.children?.get(levels[0]!);
        if (first !== undefined) collect(first, levels, 1, found);
      } else {
        collect(this.#root, levels, 0, found);
      }
    }
    return found;
  }

  #exactSet(filter: string): Set<T> {
    let values = this.#exact.get(filter);
    if (values === undefined) {
      values = new Set();
      this.#exact.set(filter, values);
    }
    return values;
  }

  #wildcardSet(filter: string): Set<T> {
    let node = this.#root;
    for (const level of filter.split('/')) {
      if (level === '#') {
        node.below ??= new Set();
        return node.below;
      }
      node = level === '+' ? anyChild(node) : namedChild(node, level);
    }
    node.here ??= new Set();
    return node.here;
  }
}

/** Whether a well-formed filter matches more than the one topic of its own name. */
function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}

function collect<T>(node: TrieNode<T>, levels: string[], depth: number, found: Set<T>): void {
  if (node.below !== undefined) addAll(found, node.below);
  if (depth === levels.length) {
    if (node.here !== undefined) addAll(found, node.here);
    return;
  }
  const child = node.children?.get(levels[depth]!);
  if (child !== undefined) collect(child, levels, depth + 1, found);
  if (node.any !== undefined) collect(node.any, levels, depth + 1, found);
}

function addAll<T>(found: Set<T>, values: Set<T>): void {
  for (const value of values) found.add(value);
}

/** Removes on the way back up every node that has become empty, so that the tree never outlives its filters. */
function removeBelow<T>(node: TrieNode<T>, levels: string[], depth: number, value: T): boolean {
  const level = levels[depth];
  if (level === undefined) {
    if (node.here === undefined || !node.here.delete(value)) return false;
    if (node.here.size === 0) node.here = undefined;
    return true;
  }
  if (level === '#') {
    if (node.below === undefined || !node.below.delete(value)) return false;
    if (node.below.size === 0) node.below = undefined;
    return true;
  }
  const child = level === '+' ? node.any : node.children?.get(level);
  if (child === undefined || !removeBelow(child, levels, depth + 1, value)) return false;
  if (isEmpty(child)) dropChild(node, level);
  return true;
}

function dropChild<T>(node: TrieNode<T>, level: string): void {
  if (level === '+') {
    node.any = undefined;
  } else {
    node.children!.delete(level);
    if (node.children!.size === 0) node.children = undefined;
  }
}

function isEmpty<T>(node: TrieNode<T>): boolean {
  return (
    node.children === undefined &&
    node.any === undefined &&
    node.here === undefined &&
    node.below === undefined
  );
}

function namedChild<T>(node: TrieNode<T>, level: string): TrieNode<T> {
  node.children ??= new Map();
  let child = node.children.get(level);
  if (child === undefined) {
    child = newNode();
    node.children.set(level, child);
  }
  return child;
}

function anyChild<T>(node: TrieNode<T>): TrieNode<T> {
  node.any ??= newNode();
  return node.any;
}

function newNode<T>(): TrieNode<T> {
  return { children: undefined, any: undefined, here: undefined, below: undefined };
}
