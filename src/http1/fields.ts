/** A field line as it was received. */

export interface Field {
  /** As spelled by the sender. */
  readonly name: string;
  readonly lower: string;
  /** latin1, without surrounding white space. */
  readonly value: string;
}
