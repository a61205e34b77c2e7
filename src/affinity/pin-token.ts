/**
 * The text of a pin: what it says, how it is written, signed and read. Opaque for clients: it names neither pod
 * nor address nor session, only keyed digests of them, and can't be made without the key.
 *
 *   '1' | pod digest 12 | session digest 12 | epoch 7 bytes, issued 5, expires 6, as 24 | signature 32
 *
 * all base64url, 81 characters, so that a text of any other length is refused before anything is computed.
 *
 * Must not know cookies, pods or requests.
 */

import { followKeys, type KeySource, Signer } from '../base/keyring.ts';

export interface PinClaim {
  /** Digest of the pod's name and uid. */
  readonly pod: string;
  /** Digest of the session's id. */
  readonly session: string;
  /** The ownership term the pin was made in; 0: none known. */
  readonly epoch: number;
  /** Wall clock, seconds since 1970. */
  readonly issuedSeconds: number;
  /** 0: it ends with the browser. */
  readonly expiresSeconds: number;
}

const version = '1';
/** Short enough that V8 copies what is cut out: no digest keeps the head alive that it came in. */
const digestLength = 12;
const timesLength = 24;
const claimLength = 1 + 2 * digestLength + timesLength;
const tokenLength = claimLength + 32;

export interface PinSignerOptions {
  /** The first signs, all verify. */
  readonly secrets: KeySource;
  /** Two applications with one key can't use each other's pins. */
  readonly application: string;
}

export class PinSigner {
  readonly #application: string;
  readonly #signer: Signer;
  /** One for each key: a digest made with any of them is recognised. */
  #digesters: readonly Signer[] = [];

  constructor(options: PinSignerOptions) {
    this.#application = options.application;
    this.#signer = new Signer(options.secrets, 'pin');
    followKeys(options.secrets, (secrets) => {
      this.#digesters = secrets.map((secret) => new Signer([secret], 'pin'));
    });
  }

  /** A pod's digests, one for each key; the first is the one that new pins bear. */
  podDigests(name: string, uid: string): readonly [string, ...string[]] {
    const parts = ['pod', this.#application, name, uid];
    const [first, ...others] = this.#digesters.map((signer) => digestBy(signer, parts));
    return [first!, ...others];
  }

  /** A session's digest as new pins bear it. */
  sessionDigest(session: string): string {
    return digestBy(this.#digesters[0]!, this.#sessionParts(session));
  }

  /** Whether the claim is this session's, by the digest that any of the keys makes of it. */
  isOfSession(claim: PinClaim, session: string): boolean {
    const parts = this.#sessionParts(session);
    return this.#digesters.some((signer) => digestBy(signer, parts) === claim.session);
  }

  write(claim: PinClaim): string {
    const times = Buffer.allocUnsafe(18);
    // Epochs are microseconds, up to 2^53: more than the 6 bytes Buffer writes at once.
    times.writeUInt8(Math.floor(claim.epoch / 2 ** 48), 0);
    times.writeUIntBE(claim.epoch % 2 ** 48, 1, 6);
    times.writeUIntBE(claim.issuedSeconds, 7, 5);
    times.writeUIntBE(claim.expiresSeconds, 12, 6);
    const text = version + claim.pod + claim.session + times.toString('base64url');
    return text + this.#signer.sign(['token', this.#application, text]);
  }

  /** What a text claims, if one of the keys signed it. Expiry is not looked at. */
  read(token: string): PinClaim | undefined {
    if (token.length !== tokenLength || !token.startsWith(version)) return undefined;
    const text = token.slice(0, claimLength);
    if (!this.#signer.verify(['token', this.#application, text], token.slice(claimLength))) return undefined;
    const times = Buffer.from(text.slice(-timesLength), 'base64url');
    return {
      pod: text.slice(1, 1 + digestLength),
      session: text.slice(1 + digestLength, 1 + 2 * digestLength),
      epoch: times.readUInt8(0) * 2 ** 48 + times.readUIntBE(1, 6),
      issuedSeconds: times.readUIntBE(7, 5),
      expiresSeconds: times.readUIntBE(12, 6),
    };
  }

  #sessionParts(session: string): readonly string[] {
    return ['session', this.#application, session];
  }
}

function digestBy(signer: Signer, parts: readonly string[]): string {
  return signer.sign(parts).slice(0, digestLength);
}
