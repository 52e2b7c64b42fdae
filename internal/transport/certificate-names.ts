import { isUtf8 } from 'node:buffer';
import type { CertificateNames } from '../lib/certificate-names.ts';
import { type DerElement, derContent, derElements, derObjectId } from './der.ts';

/**
 * Reads the names of a certificate in DER. The runtime shows them as text in which one can look like two; here no
 * name is split or joined, and one that could be read in two ways is a problem.
 */
export function certificateNames(der: Uint8Array): CertificateNames {
  try {
    return namesOf(der);
  } catch (error) {
    return { ...NO_NAMES, problem: `its names cannot be read: ${(error as Error).message}` };
  }
}

const NO_NAMES = { subject: '', commonNames: [], dnsNames: [], emails: [], uris: [] };

const SEQUENCE = 0x30;
const SET = 0x31;
const OCTETS = 0x04;
const OBJECT_ID = 0x06;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
/** Tags of alternative names (RFC 5280, section 4.2.1.6). */
const [EMAIL, DNS, URI] = [0x81, 0x82, 0x86];

const COMMON_NAME = '2.5.4.3';
const ALTERNATIVE_NAMES = '2.5.29.17';

function namesOf(der: Uint8Array): CertificateNames {
  const [certificate] = derElements(der);
  const fields = derContent(derContent(certificate, SEQUENCE)[0], SEQUENCE);
  // serialNumber, signature, issuer, validity, subject; before them the version where it is not 1.
  const subjectAt = fields[0]?.tag === VERSION ? 5 : 4;
  const subject = derContent(fields[subjectAt], SEQUENCE).map(attributesOf);
  const extensions = fields.find(({ tag }) => tag === EXTENSIONS);
  const alternatives = extensions === undefined ? [] : alternativeNames(extensions);
  const ofKind = (wanted: number) => alternatives.filter(({ tag }) => tag === wanted).map(asciiOf);
  return {
    subject: subject.map(shownAttributes).reverse().join(','),
    commonNames: subject.flat().flatMap(({ id, value }) => (id === COMMON_NAME ? [value] : [])),
    dnsNames: ofKind(DNS),
    emails: ofKind(EMAIL),
    uris: ofKind(URI),
    problem: undefined,
  };
}

interface Attribute {
  id: string;
  value: string;
}

/** One part of a name; it is a set, as several attributes may be one part. */
function attributesOf(part: DerElement): Attribute[] {
  if (part.tag !== SET) throw new Error('a part of the subject is no set');
  return derElements(part.content).map((attribute) => {
    const [id, value] = derContent(attribute, SEQUENCE);
    if (id?.tag !== OBJECT_ID || value === undefined) throw new Error('an attribute has no kind or no value');
    return { id: derObjectId(id.content), value: checkedName(textOf(value)) };
  });
}

const UTF8 = 0x0c;
const PRINTABLE = 0x13;
const IA5 = 0x16;
const NUMERIC = 0x12;
const BMP = 0x1e;

function textOf({ tag, content }: DerElement): string {
  if (tag === UTF8) {
    if (!isUtf8(content)) throw new Error('a text is not UTF-8');
    return Buffer.from(content).toString();
  }
  if (tag === PRINTABLE || tag === IA5 || tag === NUMERIC) return asciiOf({ content });
  // UTF-16 with the high byte first.
  if (tag === BMP && content.length % 2 === 0) return Buffer.from(content).swap16().toString('utf16le');
  throw new Error('a text has an encoding in which one name can be written in several ways');
}

function asciiOf({ content }: Pick<DerElement, 'content'>): string {
  if (content.some((byte) => byte >= 0x80)) throw new Error('a text is not ASCII');
  return checkedName(Buffer.from(content).toString('latin1'));
}

/** A name with a NUL ends there for some who read it, and goes on for others. */
function checkedName(name: string): string {
  if (/[\p{Cc}\p{Cs}]/u.test(name)) throw new Error('a name has control characters');
  return name;
}

function alternativeNames(extensions: DerElement): DerElement[] {
  const found: DerElement[] = [];
  for (const extension of derContent(derElements(extensions.content)[0], SEQUENCE)) {
    const fields = derContent(extension, SEQUENCE);
    const [id, value] = [fields[0], fields.at(-1)];
    if (id?.tag !== OBJECT_ID || derObjectId(id.content) !== ALTERNATIVE_NAMES) continue;
    if (value?.tag !== OCTETS) throw new Error('an extension has no value');
    found.push(...derContent(derElements(value.content)[0], SEQUENCE));
  }
  return found;
}

/** Attributes that RFC 2253 has a word for. */
const WORDS: Readonly<Record<string, string | undefined>> = {
  [COMMON_NAME]: 'CN',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.6': 'C',
  '2.5.4.9': 'STREET',
  '0.9.2342.19200300.100.1.25': 'DC',
  '0.9.2342.19200300.100.1.1': 'UID',
};

function shownAttributes(attributes: readonly Attribute[]): string {
  return attributes.map(({ id, value }) => `${WORDS[id] ?? id}=${escaped(value)}`).join('+');
}

/** RFC 2253, section 2.4. */
function escaped(value: string): string {
  return value.replace(/[,+"\\<>;=]|^[ #]| $/g, '\\$&');
}
