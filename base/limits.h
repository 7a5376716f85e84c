/*
 * The bounds of what others may send and of what is kept for them, each with its reason. What one module
 * alone decides (how much it does at a time, how often, what its own buffers hold) stands there, with its
 * reason; what two parties agree on, in envelope/terms.h.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* ---- people and parties ---- */
#define NAME_SIZE_MAX 64            /* bytes of a name of a party, post or officer: one line of a heading */
#define PARTIES_MAX 64              /* parties of one channel: the largest council is 64 */
#define POST_SLOTS 64               /* numbered post slots of a party in the keying tree */
#define OFFICERS_MAX 256            /* officers of one party on one channel: a large mission has 20 to 50 */
#define CHANNELS_MAX 64             /* channels of one post: one with each counterpart, a few councils */
#define COUNTERPARTS_MAX 64         /* parties that a post holds cards of */
#define EID_SIZE_MAX 128            /* bytes of an endpoint id, as text */
#define OFFICER_NUMBER_MAX 65535    /* officers are numbered for good: years of turnover at 256 places */
#define CARD_LETTERS_MAX 128        /* letters of one card chain: a founding, 64 posts, most once again */
#define CARD_SIZE_MAX 262144        /* a card: those letters, and 64 statements of 64 prekeys */

/* ---- messages ---- */
#define TEXT_SIZE_MAX 65536         /* bytes of a message's text: some 20 pages; longer goes as attachments */
#define SUBJECT_SIZE_MAX 200        /* bytes: one line */
#define URGENT_WORDS_MAX 200        /* words at IMMEDIATE and FLASH: US Army practice */
#define REFERENCES_MAX 16           /* entries that one entry refers to */
#define CONTENT_SIZE_MAX 73728      /* the signed payload: text, subject, references and 6 KiB of room */
#define ENTRY_SIZE_MAX 75776        /* content with its signatures, and the position and heads beside it */
#define SEALED_SIZE_MAX 78848       /* an entry padded (77,824) and sealed (up to 1 KiB more) */
#define SIGNERS_MAX 2               /* one officer, or two persons */
#define NOTE_SIZE_MAX 200           /* bytes of an acknowledgment's note: one line */
#define REASON_SIZE_MAX 1024        /* bytes of a letter's reason or condition: a paragraph */
#define URGENT_WORD_SIZE_MAX 32     /* bytes for each word of those: not every script parts words */
#define EXTERNAL_AAD_SIZE_MAX 4096  /* what a seal binds and nobody sends: 64 party ids, and room */

/* ---- logs ---- */
#define HEADS_SEEN_MAX 64           /* heads of others that one entry names: those changed since the last */
#define POSITION_MAX 0xffffffffULL  /* entries of one incarnation: 4 billion is 100 a second for a year */
#define HEADS_KEPT_MAX 128         /* heads of its post that a courier keeps: two incarnations a channel */
#define INCARNATIONS_MAX 65535      /* of one log: a restore a day for 179 years */
#define HEADS_STATED_MAX 64         /* heads of one statement of heads: the rest waits for the next */
#define RECEIPT_POSITIONS_MAX 128   /* positions that one receipt names: each moves a state, stops a copy */
#define LOG_AHEAD_MAX 65536         /* positions of another's log beyond its first gap that are accepted */
#define RANGES_MAX 64               /* ranges that one receipt or verdict names */
#define REASON_NUMBER_MAX 65535     /* reasons for refusing: later versions may have more */
#define PROOF_HASHES_MAX 64         /* hashes of an inclusion or consistency proof: trees up to 2^63 */

/* ---- signed notes (C2SP) ---- */
#define SIGNED_NOTE_SIZE_MAX 131072 /* 16 signatures of a post-quantum kind must be read past: 5 kB each */
#define SIGNED_NOTE_LINES_MAX 128   /* signatures: the log, 63 cosigners and as many witnesses */
#define ORIGIN_SIZE_MAX 255         /* bytes of a log's origin: what later C2SP cosignatures have room for */

/* ---- keys ---- */
#define EPOCHS_AHEAD_MAX 64         /* prekeys that one statement publishes ahead */
#define EPOCH_MAX 0xffffffffULL     /* 4 billion epochs of the shortest length are 8,000 years */
#define EPOCH_LENGTH_S_MIN 60       /* shorter helps nothing: the delay window decides when a key goes */
#define EPOCH_LENGTH_S_MAX 31536000 /* a year */
#define KEYING_STEPS_MAX 4096       /* epochs that a keying leaf is stepped at once: some 10 ms of work */
#define RESEALS_MAX 8               /* times one copy is sealed again on "cannot open" before people act */

/* ---- bundles (RFC 9171) ---- */
#define BUNDLE_SIZE_MAX 131072      /* one bundle with all blocks: a sealed entry, and room for extensions */
#define BUNDLE_BLOCKS_MAX 16        /* canonical blocks of one bundle; ours have 3 */
#define FRAGMENT_RANGES_MAX 64      /* separate parts of one unit that are held before it is whole */

#define FRAGMENTS_MAX 128           /* fragments of one unit that are held: of 1 KiB each and more */

/* ---- the courier's queue ---- */
#define QUEUE_TRANSFERS_MAX 1024    /* own transfers under way on all routes: 16 full windows */
#define QUEUE_GIVEN_MAX 64          /* of one precedence, to the post, unanswered: a window of the smallest */
#define QUEUE_CHARGE 512            /* bytes counted for each thing held beside its own: its rows */
#define QUEUE_SEEN_MAX 65536        /* identities kept against duplicates: some 10 MiB */
#define QUEUE_CARRIED_MAX 65536     /* ids of carried copies kept to answer for: some 5 MiB; the same */
#define QUEUE_SWEEP_MAX 32          /* things that expire, fall due or change route in one step */
#define QUEUE_DOWNTIME_MS_MAX 86400000 /* of the time between two processes, what counts as lifetime: a day */
#define QUEUE_CLOCK_MS 60000        /* how often the queue's clock is written when nothing else is */
/*
 * How much of a neighbour's part ROUTINE, PRIORITY, IMMEDIATE and FLASH may fill, in percent: the last room
 * is for the highest.
 */
#define QUEUE_SHARE_ROUTINE 70
#define QUEUE_SHARE_PRIORITY 80
#define QUEUE_SHARE_IMMEDIATE 90
#define QUEUE_SHARE_FLASH 100

/* ---- TCPCL (RFC 9174) ---- */
#define TRANSFER_SIZE_MAX BUNDLE_SIZE_MAX /* transfer MRU that we announce: finite, peers abort on 2^64-1 */
#define TLS_RECORD_SIZE_MAX 8192          /* plaintext of one TLS record: peers read 10 KiB at a time */
#define SEGMENT_SIZE_MAX 16384            /* segment MRU that we announce, and the largest we send */
#define NODE_ID_SIZE_MAX EID_SIZE_MAX
#define SESSION_EXTENSIONS_SIZE_MAX 4096  /* session or transfer extension items that we read past */
#define SEGMENT_MRU_MIN 256               /* a peer that takes less is turned away: data dribble, 8.10 */
#define TRANSFER_MRU_MIN 1024             /* and one that takes less could take no message of ours */
#define TCPCL_PENDING_MAX 64              /* received segments whose answer waits for the disk */
#define TCPCL_OUTGOING_MAX 64             /* own transfers sent and not settled: a window of short messages */
#define TCPCL_REJECTS_MAX 16              /* stray acknowledgments that we reject before we end the session */
#define KEEPALIVE_S 30                    /* offered keepalive; the RFC says no shorter on shared networks */
#define ESTABLISH_TIMEOUT_MS 20000        /* from connecting to both SESS_INIT, TLS too (RFC: under 60 s) */
#define ACKNOWLEDGE_TIMEOUT_MS 60000      /* without any progress of what we sent: the route is silent */
#define ENDING_TIMEOUT_MS 5000            /* from SESS_TERM to closing whatever is under way */

/* ---- rows of a store ---- */
#define ROW_KEY_SIZE_MAX 192        /* the longest key: a fragment's identity, with an endpoint id */
#define ROW_VALUE_SIZE_MAX 135168   /* the largest row: a whole bundle with 4 KiB of state beside it */

/* ---- post and courier ---- */
#define ROUTE_NAME_SIZE_MAX 64      /* bytes of a route's name: one line of a status table */
#define ROUTES_MAX 256              /* of one courier: four ways to each of 64 counterparts */
#define REFUSED_REASONS_MAX 256         /* reasons that STATUS counts apart: more than the error table has */
/*
 * After how long the post hands over again what the courier did not take, or gave up, for now: mostly for
 * want of room, which comes back by itself (copies leave, expire) or by an operator's hand. A FLASH soonest:
 * its reader waits. Bulk has time, and the longer the less of it is handed over in vain.
 */
#define RETRY_FLASH_MS     2000
#define RETRY_IMMEDIATE_MS 5000
#define RETRY_PRIORITY_MS  15000
#define RETRY_ROUTINE_MS   60000
#define LIFETIME_MS_MAX 31536000000 /* of a copy: a year, the longest delay window that terms can set */

/*
 * Unacknowledged bytes of lower precedence that may stand ahead of a FLASH: 64 KiB in all between `send`
 * returning and arrival. Four buffers stand in a row (post to courier, courier's session with the kernel's
 * socket buffers, far courier, courier to post); each holds at most this much that is not acknowledged.
 */
#define WINDOW_SIZE_MAX 12288

/* ---- the courier ---- */
#define NEIGHBOURS_MAX 64       /* couriers that one courier knows: a council's, each named in its file */
#define PATHS_MAX 256           /* nodes reached through a neighbour: the posts of four large parties */
#define STRANGERS_MAX 32        /* connections at once of peers that have not proven who they are */
#define STRANGERS_OF_ADDRESS_MAX 8 /* of them, from one network address */
#define LISTEN_MAX 4            /* addresses that a courier listens on: IPv4 and IPv6, inside and outside */
#define CONFIG_SIZE_MAX 65536   /* courier.conf: NEIGHBOURS_MAX lines of 400 bytes, paths, and comments */
#define CONFIG_LINE_SIZE_MAX 1024
#define PATH_SIZE_MAX 1024      /* of a file named in courier.conf */
#define SOCKET_PATH_SIZE_MAX 108 /* sun_path of a Unix socket, with its final NUL */
#define QUEUE_POOL_SIZE_MAX 268435456   /* each pool of the queue: 250,000 short messages, or 3,000 large */
/*
 * Of the disk, which bulk leaves alone: one half for the queue's own log; the other for what is the last to
 * be refused, receipts and urgent messages. The courier knows them by precedence and size alone.
 */
#define QUEUE_DISK_RESERVE_MIN 16777216
#define QUEUE_SMALL_SIZE_MAX 2048  /* a bundle with a receipt of RANGES_MAX ranges: at any precedence */
#define QUEUE_URGENT_SIZE_MAX 8192 /* one of URGENT_WORDS_MAX words of the longest: at IMMEDIATE and FLASH */
/* The courier says that its disk is nearly full where fewer bytes are free, until there is so much room:
 * above what it leaves alone, so that it has said so before it refuses a large message. */
#define QUEUE_DISK_FULL_MAX 25165824
#define QUEUE_DISK_ROOM_MIN 33554432

#endif
