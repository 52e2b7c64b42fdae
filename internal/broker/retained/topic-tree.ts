import { innerFilter } from '../../topic.ts';

/** A place where topics part, or where one ends. */
interface Node<T> {
  /** The levels between the node above and this one, joined by slashes: at least one, but for the root. */
  edge: string;
  /** By the first level of their edges. */
  children: Map<string, Node<T>> | undefined;
  value: T | undefined;
}

/**
 * Values by topic, in a tree of levels, so that a filter with wildcards finds its topics without looking at the others,
 * however many there are. Levels that nothing else begins with lie together on one edge: what a topic costs depends on
 * how many there are, not on how many levels somebody gave it.
 *
 * A search may go on while topics come and go: an edge is parted above a node but never joined again, because a search
 * that stands between the two would pass over what is below.
 */
export class TopicTree<T> {
  readonly #root: Node<T> = newNode('');
  #size = 0;

  /** How many topics have a value. */
  get size(): number {
    return this.#size;
  }

  get(topic: string): T | undefined {
    let node = this.#root;
    let at = 0;
    while (at <= topic.length) {
      const child = node.children?.get(levelAt(topic, at));
      if (child === undefined || sharedLength(child.edge, topic, at) < child.edge.length) return undefined;
      node = child;
      at += child.edge.length + 1;
    }
    return node.value;
  }

  /** Gives a topic a value, and returns the one it had. */
  set(topic: string, value: T): T | undefined {
    let node = this.#root;
    let at = 0;
    while (at <= topic.length) {
      const level = levelAt(topic, at);
      node.children ??= new Map();
      let child = node.children.get(level);
      if (child === undefined) {
        child = newNode(topic.slice(at));
        node.children.set(level, child);
      } else {
        const length = sharedLength(child.edge, topic, at);
        if (length < child.edge.length) {
          child = parted(child, length);
          node.children.set(level, child);
        }
      }
      node = child;
      at += child.edge.length + 1;
    }
    const before = node.value;
    if (before === undefined) this.#size++;
    node.value = value;
    return before;
  }

  /** Takes a topic's value away, and returns it. */
  delete(topic: string): T | undefined {
    const path = [this.#root];
    let at = 0;
    while (at <= topic.length) {
      const child = path.at(-1)!.children?.get(levelAt(topic, at));
      if (child === undefined || sharedLength(child.edge, topic, at) < child.edge.length) return undefined;
      path.push(child);
      at += child.edge.length + 1;
    }
    const { value } = path.at(-1)!;
    if (value === undefined) return undefined;
    path.at(-1)!.value = undefined;
    this.#size--;
    for (let depth = path.length - 1; depth > 0 && leadsNowhere(path[depth]!); depth--) {
      path[depth - 1]!.children!.delete(levelAt(path[depth]!.edge, 0));
    }
    return value;
  }

  /** The values of all topics that begin with some levels, each with its slash. */
  *below(levels: string): Generator<T> {
    let node = this.#root;
    let at = 0;
    while (at < levels.length) {
      const child = node.children?.get(levelAt(levels, at));
      if (child === undefined) return;
      const rest = levels.slice(at);
      if (`${child.edge}/`.startsWith(rest)) {
        // The levels end within its edge, or right behind it: then its own topic is none that lies below.
        if (child.edge.length >= rest.length) yield* everythingFrom(child, false);
        else yield* belowNode(child);
        return;
      }
      if (!rest.startsWith(`${child.edge}/`)) return;
      node = child;
      at += child.edge.length + 1;
    }
    yield* belowNode(node);
  }

  /** The values of all topics that match a well-formed filter. Wildcards at the root skip the broker's own. */
  find(filter: string): Iterable<T> {
    const inner = innerFilter(filter);
    if (/[+#]/.test(inner)) return matching(this.#root, inner.split('/'), 0);
    const value = this.get(inner);
    return value === undefined ? [] : [value];
  }
}

function newNode<T>(edge: string): Node<T> {
  return { edge, children: undefined, value: undefined };
}

/** The level that begins here. */
function levelAt(topic: string, at: number): string {
  const end = topic.indexOf('/', at);
  return end < 0 ? topic.slice(at) : topic.slice(at, end);
}

/** How much of an edge a topic goes along from here: whole levels, at least the first, which is known to be the same. */
function sharedLength(edge: string, topic: string, at: number): number {
  const isEnd = (length: number) => at + length === topic.length || topic[at + length] === '/';
  if (topic.startsWith(edge, at) && isEnd(edge.length)) return edge.length;
  let shared = edge.indexOf('/');
  for (let next = shared; next >= 0; next = edge.indexOf('/', next + 1)) {
    if (!topic.startsWith(edge.slice(0, next), at) || !isEnd(next)) break;
    shared = next;
  }
  return shared;
}

/** A node in the middle of another's edge, which then hangs below it. */
function parted<T>(node: Node<T>, length: number): Node<T> {
  const middle = newNode<T>(node.edge.slice(0, length));
  node.edge = node.edge.slice(length + 1);
  middle.children = new Map([[levelAt(node.edge, 0), node]]);
  return middle;
}

function* belowNode<T>(node: Node<T>): Generator<T> {
  for (const child of node.children?.values() ?? []) yield* everythingFrom(child, false);
}

function leadsNowhere<T>({ value, children }: Node<T>): boolean {
  return value === undefined && (children === undefined || children.size === 0);
}

/** The matches below a node, given that the levels of the filter before `depth` have matched. */
function* matching<T>(node: Node<T>, wanted: readonly string[], depth: number): Generator<T> {
  const level = wanted[depth];
  if (level === undefined) {
    if (node.value !== undefined) yield node.value;
  } else if (level === '#') {
    yield* everythingFrom(node, depth === 0);
  } else if (level === '+') {
    for (const [name, child] of node.children ?? []) {
      if (depth === 0 && name.startsWith('$')) continue;
      yield* matchingAlong(child, wanted, depth);
    }
  } else {
    const child = node.children?.get(level);
    if (child !== undefined) yield* matchingAlong(child, wanted, depth);
  }
}

/** The same from the beginning of a node's edge, whose first level has matched. */
function* matchingAlong<T>(node: Node<T>, wanted: readonly string[], depth: number): Generator<T> {
  const levels = node.edge.split('/');
  for (let index = 1; index < levels.length; index++) {
    const level = wanted[depth + index];
    if (level === '#') {
      yield* everythingFrom(node, false);
      return;
    }
    if (level !== '+' && level !== levels[index]) return;
  }
  yield* matching(node, wanted, depth + levels.length);
}

/** A filter's last `#` matches the level above it too. */
function* everythingFrom<T>(top: Node<T>, isRoot: boolean): Generator<T> {
  if (top.value !== undefined) yield top.value;
  const stack: Iterator<[string, Node<T>]>[] = [entriesOf(top)];
  while (stack.length > 0) {
    const { value, done } = stack.at(-1)!.next();
    if (done) {
      stack.pop();
      continue;
    }
    const [level, node] = value;
    if (isRoot && stack.length === 1 && level.startsWith('$')) continue;
    if (node.value !== undefined) yield node.value;
    if (node.children !== undefined) stack.push(entriesOf(node));
  }
}

function entriesOf<T>({ children }: Node<T>): Iterator<[string, Node<T>]> {
  return (children ?? new Map<string, Node<T>>()).entries();
}
