"""The table of all procedural sound classes: their names, AudioSet labels, captions and synthesis functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dplass_cli.sounds import alarms, animals, domestic, music, nature, speech, vehicles
from dplass_cli.sounds.synthesis import Signal, SyntheticClip


@dataclass(frozen=True)
class SoundClass:
    """A class of sound.

    Attributes:
        name: snake_case, unique.
        group: one of speech, music, animals, alarms, domestic, vehicles, nature.
        label: the AudioSet display name, unique in the table.
        mid: the AudioSet machine id of ``label``.
        captions: four to six sentences in different words, unique in the table.
        render: returns float64 (n_samples,) of any level.
    """

    name: str
    group: str
    label: str
    mid: str
    captions: tuple[str, ...]
    render: Callable[[SyntheticClip], Signal]


CATALOGUE: tuple[SoundClass, ...] = (
    # --- speech ---
    SoundClass("male_speech", "speech", "Male speech, man speaking", "/m/05zppz", (
        "a man speaking", "a deep male voice talking",
        "an adult man gives a speech", "a gentleman talks in a low voice"), speech.male),
    SoundClass("female_speech", "speech", "Female speech, woman speaking", "/m/02zsn", (
        "a woman speaking", "a female voice talking clearly",
        "an adult woman gives a talk", "a lady is saying something"), speech.female),
    SoundClass("child_speech", "speech", "Child speech, kid speaking", "/m/0ytgt", (
        "a child speaking", "a little kid talking in a high voice",
        "a small boy or girl chatters away", "a toddler is telling a story"), speech.child),
    SoundClass("whispering", "speech", "Whispering", "/m/02rtxlg", (
        "someone whispering", "a person whispers a secret",
        "hushed breathy whispers close to the microphone", "words spoken under the breath"), speech.whispering),
    SoundClass("crowd_babble", "speech", "Hubbub, speech noise, speech babble", "/m/07qfr4h", (
        "a crowd of people talking at once", "the hubbub of a busy restaurant",
        "many voices murmuring in a hall", "background chatter of a large group"), speech.crowd),
    SoundClass("laughter", "speech", "Laughter", "/m/01j3sz", (
        "a person laughing", "hearty laughter",
        "someone bursts out laughing at a joke", "ha ha ha, somebody is amused"), speech.laughter),
    SoundClass("baby_cry", "speech", "Baby cry, infant cry", "/t/dd00002", (
        "a baby crying", "an infant wails loudly",
        "the cries of a newborn child", "a hungry baby is screaming in its cot"), speech.baby_cry),
    SoundClass("choir", "speech", "Choir", "/m/0l14jd", (
        "a choir singing", "many singers hold a harmony together",
        "voices of a church choir", "a chorus sings long chords"), speech.choir),
    SoundClass("snoring", "speech", "Snoring", "/m/01d3sd", (
        "a person snoring", "loud snores of a sleeper",
        "someone snores while fast asleep", "rattling breath of a man asleep in bed"), speech.snoring),
    # --- music ---
    SoundClass("acoustic_guitar", "music", "Acoustic guitar", "/m/042v_gx", (
        "an acoustic guitar being played", "finger-picked guitar strings",
        "someone plucks a melody on a wooden guitar", "gentle folk guitar picking"), music.acoustic_guitar),
    SoundClass("flute", "music", "Flute", "/m/0l14j_", (
        "a flute playing a melody", "soft airy notes of a flute",
        "a flutist performs a slow tune", "a woodwind flute solo"), music.flute),
    SoundClass("organ", "music", "Organ", "/m/013y1f", (
        "a pipe organ playing chords", "organ music in a cathedral",
        "an organist holds solemn chords", "the full sound of organ pipes"), music.organ),
    SoundClass("bass_drum", "music", "Bass drum", "/m/0bm02", (
        "a bass drum beating", "deep thumps of a kick drum",
        "a drummer plays a steady low drum beat", "booming strokes on a big drum"), music.bass_drum),
    SoundClass("hi_hat", "music", "Hi-hat", "/m/03qtq", (
        "a hi-hat being played", "crisp rhythm on hi-hat cymbals",
        "a drummer taps closed hi-hats", "tss tss of small cymbals keeping time"), music.hi_hat),
    SoundClass("marimba", "music", "Marimba, xylophone", "/m/0dwsp", (
        "a marimba playing", "mallets on wooden xylophone bars",
        "a fast tune on a xylophone", "warm mellow notes struck on a marimba"), music.marimba),
    SoundClass("violin", "music", "Violin, fiddle", "/m/07y_7", (
        "a violin playing", "a bowed fiddle melody",
        "a violinist performs with vibrato", "long strokes of a bow on violin strings"), music.violin),
    SoundClass("trumpet", "music", "Trumpet", "/m/07gql", (
        "a trumpet playing", "a bright brass fanfare",
        "a trumpeter blows short notes", "a bugle-like trumpet call"), music.trumpet),
    SoundClass("drum_roll", "music", "Drum roll", "/m/02k_mr", (
        "a drum roll", "a snare drum rolled quickly",
        "rapid sticks on a snare that swell and fade", "a military drummer plays a long roll"), music.drum_roll),
    SoundClass("electric_guitar", "music", "Electric guitar", "/m/02sgy", (
        "a distorted electric guitar", "heavy rock guitar power chords",
        "a guitarist plays riffs through an overdriven amplifier", "crunchy metal guitar"), music.electric_guitar),
    # --- animals ---
    SoundClass("dog_bark", "animals", "Bark", "/m/05tny_", (
        "a dog barking", "barking of a dog in the distance",
        "an excited hound barks again and again", "woof woof of a guard dog"), animals.dog),
    SoundClass("cat_meow", "animals", "Meow", "/m/07qrkrw", (
        "a cat meowing", "meows of a hungry cat",
        "a kitten mews for attention", "a house cat calls out miaow"), animals.cat),
    SoundClass("bird_chirp", "animals", "Chirp, tweet", "/m/07pggtn", (
        "birds chirping", "a small bird tweets in a tree",
        "songbirds twitter in the morning", "cheerful chirps and tweets of a sparrow"), animals.bird),
    SoundClass("crickets", "animals", "Cricket", "/m/09xqv", (
        "crickets chirping at night", "the shrill song of a cricket",
        "insects stridulate on a summer evening", "a field full of crickets"), animals.cricket),
    SoundClass("frog", "animals", "Frog", "/m/09ld4", (
        "a frog croaking", "croaks of frogs by a pond",
        "a toad or frog goes ribbit", "a bullfrog calls at the water's edge"), animals.frog),
    SoundClass("cow_moo", "animals", "Moo", "/m/07rpkh9", (
        "a cow mooing", "cattle moo in a field",
        "the long low call of a cow", "a calf and its mother are lowing"), animals.cow),
    SoundClass("sheep_bleat", "animals", "Bleat", "/m/07q0h5t", (
        "a sheep bleating", "baa of a lamb",
        "a goat or sheep bleats with a trembling voice", "a flock of sheep calls in the meadow"), animals.sheep),
    SoundClass("rooster", "animals", "Crowing, cock-a-doodle-doo", "/m/07qn5dc", (
        "a rooster crowing", "cock-a-doodle-doo at dawn",
        "a cockerel crows on the farm", "the morning call of a rooster"), animals.rooster),
    SoundClass("owl_hoot", "animals", "Hoot", "/m/07r_80w", (
        "an owl hooting", "soft hoots in the night forest",
        "a tawny owl calls hoo hoo", "the hollow cry of an owl in the dark"), animals.owl),
    SoundClass("bees", "animals", "Bee, wasp, etc.", "/m/01h3n", (
        "bees buzzing", "a swarm of bees around a hive",
        "wasps hum near a flower", "the buzz of insect wings"), animals.bees),
    SoundClass("duck_quack", "animals", "Quack", "/m/07qdb04", (
        "a duck quacking", "ducks quack on a lake",
        "nasal quacks of a mallard", "a duck calls quack quack quack"), animals.duck),
    SoundClass("horse_hooves", "animals", "Clip-clop", "/m/07rv9rh", (
        "a horse walking on a road", "clip-clop of hooves",
        "horseshoes on cobblestones", "a pony trots past on a hard street"), animals.horse),
    # --- alarms ---
    SoundClass("siren", "alarms", "Siren", "/m/03kmc9", (
        "a siren wailing", "an emergency siren rises and falls",
        "a police car or ambulance with its siren on", "a wailing warning siren"), alarms.siren),
    SoundClass("smoke_alarm", "alarms", "Smoke detector, smoke alarm", "/m/01y3hg", (
        "a smoke alarm beeping", "piercing beeps of a smoke detector",
        "a fire detector goes off in the kitchen", "a shrill ceiling alarm warns of smoke"), alarms.smoke_alarm),
    SoundClass("telephone_bell", "alarms", "Telephone bell ringing", "/m/07pp8cl", (
        "a telephone ringing", "an old phone bell rings",
        "the ring of a rotary telephone", "a landline phone rings and nobody answers"), alarms.telephone),
    SoundClass("church_bell", "alarms", "Church bell", "/m/03w41f", (
        "a church bell tolling", "a large bell rings from a tower",
        "the bell of a cathedral strikes the hour", "slow heavy tolls of a bronze bell"), alarms.church_bell),
    SoundClass("alarm_clock", "alarms", "Alarm clock", "/m/046dlr", (
        "an alarm clock beeping", "a digital clock alarm goes off",
        "quick electronic beeps of a bedside alarm", "the wake-up alarm beeps four at a time"), alarms.alarm_clock),
    SoundClass("bicycle_bell", "alarms", "Bicycle bell", "/m/0gy1t2s", (
        "a bicycle bell ringing", "a cyclist rings the bell",
        "bright ting-a-ling of a bike bell", "the handlebar bell of a passing bicycle"), alarms.bicycle_bell),
    SoundClass("reversing_beeps", "alarms", "Reversing beeps", "/m/02rhddq", (
        "a truck beeping as it backs up", "reversing beeps of a lorry",
        "a backup alarm on a delivery van", "slow warning beeps of a vehicle in reverse"), alarms.reversing_beeps),
    SoundClass("busy_signal", "alarms", "Busy signal", "/m/01z47d", (
        "a telephone busy signal", "the engaged tone of a phone line",
        "low tones on the line because the number is busy", "beep beep of an occupied phone"), alarms.busy_signal),
    SoundClass("doorbell", "alarms", "Ding-dong", "/m/07r67yg", (
        "a doorbell going ding-dong", "someone rings the doorbell",
        "a two-note chime at the front door", "a visitor presses the house bell"), alarms.doorbell),
    SoundClass("foghorn", "alarms", "Foghorn", "/m/04fq5q", (
        "a foghorn sounding", "the very low horn of a ship in fog",
        "a lighthouse blows its foghorn", "deep long blasts of a harbour horn"), alarms.foghorn),
    # --- domestic ---
    SoundClass("clock_tick", "domestic", "Tick-tock", "/m/07qjznl", (
        "a clock ticking", "tick-tock of a wall clock",
        "the steady ticks of a pendulum clock", "a mechanical clock counts the seconds"), domestic.clock),
    SoundClass("vacuum_cleaner", "domestic", "Vacuum cleaner", "/m/0d31p", (
        "a vacuum cleaner running", "someone vacuums the carpet",
        "the whine and rush of a hoover", "cleaning the floor with a vacuum"), domestic.vacuum_cleaner),
    SoundClass("door_knock", "domestic", "Knock", "/m/07r4wb8", (
        "someone knocking on a door", "knocks on wood",
        "a visitor raps with the knuckles on a wooden door", "knock knock, who is there"), domestic.door_knock),
    SoundClass("typing", "domestic", "Typing", "/m/0316dw", (
        "typing on a computer keyboard", "fast clicks of keys",
        "an office worker types a letter", "someone hammers away at a keyboard"), domestic.typing),
    SoundClass("water_pouring", "domestic", "Pour", "/m/07prgkl", (
        "water being poured into a glass", "a drink poured from a bottle",
        "liquid fills a cup with rising pitch", "someone pours water into a jug"), domestic.pouring),
    SoundClass("frying", "domestic", "Frying (food)", "/m/0dxrf", (
        "food frying in a pan", "bacon sizzles in hot fat",
        "the hiss of oil in a skillet", "something is being fried on the stove"), domestic.frying),
    SoundClass("dishes", "domestic", "Dishes, pots, and pans", "/m/04brg2", (
        "dishes clinking", "plates and cutlery rattle in the kitchen",
        "someone washes up pots and pans", "clatter of crockery being stacked"), domestic.dishes),
    SoundClass("sawing", "domestic", "Sawing", "/m/01b82r", (
        "someone sawing wood", "a hand saw cuts through a plank",
        "back and forth strokes of a saw", "a carpenter saws a board"), domestic.sawing),
    SoundClass("dripping", "domestic", "Drip", "/m/07r5v4s", (
        "water dripping", "a tap drips into the sink",
        "drops fall one by one into a basin", "a leaky faucet goes drip drip"), domestic.dripping),
    SoundClass("hammering", "domestic", "Hammer", "/m/03l9g", (
        "someone hammering a nail", "blows of a hammer on wood",
        "a carpenter pounds nails into a beam", "hammer strikes on a building site"), domestic.hammering),
    SoundClass("mains_hum", "domestic", "Mains hum", "/m/06xkwv", (
        "electrical mains hum", "a transformer hums",
        "the low electric hum of a bad ground", "steady humming of power lines"), domestic.mains_hum),
    # --- vehicles ---
    SoundClass("car_idle", "vehicles", "Idling", "/m/07pb8fc", (
        "a car engine idling", "a motor ticks over at a standstill",
        "a parked car with its engine running", "the low throb of an idling truck"), vehicles.car_idle),
    SoundClass("helicopter", "vehicles", "Helicopter", "/m/09ct_", (
        "a helicopter flying", "rotor blades of a chopper",
        "a helicopter hovers overhead", "the thudding of a rotor in the air"), vehicles.helicopter),
    SoundClass("motorcycle", "vehicles", "Motorcycle", "/m/04_sv", (
        "a motorcycle accelerating", "a motorbike revs its engine",
        "a biker speeds off through the gears", "the roar of a motorcycle pulling away"), vehicles.motorcycle),
    SoundClass("train_horn", "vehicles", "Train horn", "/m/0284vy3", (
        "a train horn blowing", "long blasts of a locomotive horn",
        "a freight train honks at a crossing", "the loud chord of a railway horn"), vehicles.train_horn),
    SoundClass("car_horn", "vehicles", "Vehicle horn, car horn, honking", "/m/0912c9", (
        "a car honking", "short honks of a car horn",
        "an angry driver beeps the horn", "cars hoot in a traffic jam"), vehicles.car_horn),
    SoundClass("chainsaw", "vehicles", "Chainsaw", "/m/01j4z9", (
        "a chainsaw running", "a lumberjack cuts a tree with a power saw",
        "the raspy two-stroke engine of a chain saw", "logging with a chainsaw"), vehicles.chainsaw),
    SoundClass("aeroplane", "vehicles", "Fixed-wing aircraft, airplane", "/m/0cmf2", (
        "an aeroplane passing overhead", "a jet flies by",
        "the roar of an airliner in the sky", "a plane takes off from an airport"), vehicles.aeroplane),
    SoundClass("train_wheels", "vehicles", "Clickety-clack", "/m/07rwm0c", (
        "train wheels on the tracks", "clickety-clack of a railway carriage",
        "a train rolls over the rail joints", "the rhythm of wheels inside a rail car"), vehicles.train_wheels),
    SoundClass("tyre_squeal", "vehicles", "Tire squeal", "/m/0h9mv", (
        "tyres squealing", "a car screeches around a bend",
        "the squeal of tires under hard braking", "rubber skids on asphalt"), vehicles.tyre_squeal),
    SoundClass("steam_train", "vehicles", "Train", "/m/07jdr", (
        "a steam train chugging", "puffs of a steam locomotive",
        "an old railway engine goes choo choo", "a steam engine pulls a train uphill"), vehicles.steam_train),
    # --- nature ---
    SoundClass("rain", "nature", "Rain", "/m/06mb1", (
        "rain falling", "a steady downpour of rain",
        "the patter of raindrops on the ground", "it is raining hard outside"), nature.rain),
    SoundClass("wind", "nature", "Wind", "/m/03m9d0z", (
        "wind blowing", "strong gusts of wind howl",
        "a gale sweeps over the hills", "a cold breeze moans around the house"), nature.wind),
    SoundClass("sea_waves", "nature", "Waves, surf", "/m/034srq", (
        "sea waves breaking on the shore", "surf rolls onto a beach",
        "the ocean washes over the sand", "waves come in and draw back"), nature.sea_waves),
    SoundClass("thunder", "nature", "Thunder", "/m/0ngt1", (
        "thunder rumbling", "a clap of thunder in a storm",
        "deep rolling thunder far away", "a storm booms and grumbles in the sky"), nature.thunder),
    SoundClass("fire", "nature", "Fire", "/m/02_41", (
        "a fire crackling", "burning logs snap and pop",
        "a campfire burns at night", "flames crackle in the fireplace"), nature.fire),
    SoundClass("stream", "nature", "Stream", "/m/0j6m2", (
        "a stream babbling", "a brook gurgles over stones",
        "water bubbles along a small creek", "the trickle of a mountain stream"), nature.stream),
    SoundClass("rustling_leaves", "nature", "Rustling leaves", "/m/09t49", (
        "leaves rustling", "dry leaves swish under foot",
        "someone wades through autumn foliage", "the rustle of a bush"), nature.leaves),
    SoundClass("waterfall", "nature", "Waterfall", "/m/0j2kx", (
        "a waterfall roaring", "a cascade of water crashes down",
        "the constant roar of falling water", "a river plunges over a cliff"), nature.waterfall),
)
