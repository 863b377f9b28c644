"""English phrases for the sciences, technology and society; options as in the stories."""

ASTRONOMY = {
    "topic": """
        binary stars | the life of stars | distant galaxies | planetary rings | comets and meteors
        solar eclipses | the night sky | dark matter | radio telescopes | the expanding universe | black holes
        moons of the giant planets | variable stars | the first light | exoplanets | star charts
        spectral lines | the surface of Mars
    """,
    "tool": """
        telescope | spectrograph | observatory | orbit | radio dish | sky survey | space probe
        star catalogue
    """,
    "noun": "sky | star | comet | orbit | galaxy | moon | eclipse | horizon | telescope | planet",
    "title": """
        The {adj} {noun} | {topic} | A guide to {topic} | Under the {adj} sky | {noun} and {noun}
        The {season} {noun} | Listening to {topic} | Light from {topic} | The {thing} and the {noun}
        How we found {topic} | Measuring {topic} | Introduction to {topic} | {number} nights with a telescope
        A {thing} of stars
    """,
    "subtitle": """
        An introduction to astronomy | Observing with small telescopes | From {topic} to {topic}
        A guide to the night sky | What we know and how we know it
    """,
    "sentence": """
        Starting from {topic}, the author explains how astronomers measure distance, mass and age.
        A new {tool} has changed what we know of {topic}, and this book tells how.
        {number} maps of the sky help the observer to find {topic} with binoculars or a small telescope.
        What can a faint line in a spectrum tell us about {topic}? More than one would think.
        The physics behind {topic} is developed with a minimum of mathematics.
        From {place}, far from city lights, the author has followed {topic} through the {season}.
        Gravity shapes everything here, from {topic} to the slow drift of the galaxies.
        Recent results from the {tool} are set beside the questions that remain, above all about {topic}.
        The account follows light on its way from {topic} to the eye at the telescope.
        Exercises with real observations let the student determine an orbit or date a cluster of stars.
        Chapters on {topic} and on {topic} close with a view of the early universe.
        Even a reader who came for {theme} will look up at the stars afterwards.
    """,
}

LIFE_SCIENCE = {
    "topic": """
        migratory birds | the living cell | soil fungi | coral reefs | inheritance and mutation
        pollinating insects | alpine plants | the ecology of rivers | animal behaviour
        bacteria and their hosts | freshwater fish | evolution | the immune system | forest succession
        mosses and lichens | marine mammals | the microscope | seed dispersal
    """,
    "being": """
        the grey heron | a solitary bee | the wood ant | an alpine orchid | the common toad | a deep-sea squid
        the beech | the brown bear | a single yeast cell | the fruit fly | the river otter | the barn owl
    """,
    "noun": "forest | cell | nest | root | reef | species | wing | seed | river | meadow",
    "title": """
        {topic} | The life of {being} | {being} | The {adj} {noun} | A field guide to {topic}
        Understanding {topic} | {noun} and {noun} | The secret of {topic} | In the {noun}
        Why {being} matters | The {thing} and the {noun} | Principles of {topic} | A {adj} {thing}
    """,
    "subtitle": """
        A natural history | Biology for beginners | An ecological portrait | With {number} species
        Life in {place} | From {topic} to {topic}
    """,
    "sentence": """
        The life cycle of {being} is followed from egg to old age, with drawings from the field.
        Biologists have studied {topic} for {time}, and the book sums up what they found.
        {number} species are described with habitat, food, breeding season and distribution.
        Genes and environment act together, as the chapter on {topic} makes clear.
        After an hour at the microscope one sees {topic} with other eyes.
        In {place} the author spent a {season} watching {being} and writing everything down.
        How did {topic} come about? Natural selection gives part of the answer.
        The final part deals with threats to habitats and with the conservation of {being}.
        Experiments with {being} show how an organism senses, feeds, grows and reproduces.
        Identification keys and colour plates make {topic} accessible to walkers and naturalists.
        A textbook of {topic}, from molecules and tissues to populations.
        Where others see only {theme}, the ecologist sees {topic} at work.
    """,
}

COMPUTING = {
    "topic": """
        relational databases | sorting algorithms | distributed systems | machine learning | web programming
        compilers | functional programming | data structures | network protocols | software testing
        operating systems | cryptography | concurrent programs | version control | embedded code
        user interfaces | search engines | data cleaning
    """,
    "noun": "code | data | network | compiler | stack | query | protocol | cache | thread | interface",
    "title": """
        {topic} in practice | Learning {topic} | {topic} from the ground up | The {adj} {noun}
        Designing {topic} | {noun} and {noun} | A short course in {topic} | {topic}: principles and patterns
        Thinking in {noun} | {number} lessons in {topic} | Debugging {topic} | A guide to {topic}
        The {noun} and the {thing}
    """,
    "subtitle": """
        With exercises and solutions | A programmer's guide | From {topic} to {topic} | Concepts and examples
        Building reliable software | A hands-on introduction
    """,
    "sentence": """
        Working code for every example shows how {topic} fits together with {topic}.
        The reader writes a small program in the first chapter and extends it until it handles {topic}.
        The book explains {topic} through {number} exercises, each with tests and a solution.
        Performance, memory and failure are discussed for each algorithm, not as an afterthought.
        Developers who know {topic} will learn here how to design, debug and deploy it.
        What happens between a key press and the answer on the screen? A tour of {topic} gives the details.
        The second part covers {topic} and the third {topic}, with source files to download.
        Every pattern is shown twice: once as a naive script and once as maintainable software.
        Interfaces, modules and data models are kept simple, so that {topic} can stay readable.
        Common bugs in {topic} are collected in an appendix with the shortest program that shows them.
        A running example, a small application for {theme}, grows from chapter to chapter.
        No framework is assumed, only a computer, an editor and some patience with {topic}.
    """,
}

ENGINEERING = {
    "topic": """
        suspension bridges | concrete structures | steam engines | tunnels | electric motors | dams and weirs
        timber frames | railway tracks | wind turbines | steel frames | machine tools | welded joints
        pumps and valves | bearings and gears | harbour walls | heating systems | surveying instruments
        gliders and wings
    """,
    "noun": "bridge | engine | beam | tunnel | arch | crane | turbine | rail | dam | lathe",
    "title": """
        {topic} | The {adj} {noun} | The design of {topic} | How {topic} work | {noun} and {noun}
        Building {topic} | Handbook of {topic} | Why {topic} fail | The {noun} of {place}
        Spanning the {thing} | {topic} in practice | An introduction to {topic} | The {thing} and the {noun}
    """,
    "subtitle": """
        A handbook | Materials, methods, machines | {number} case studies | Calculation and construction
        From drawing to building site | With tables and worked examples
    """,
    "sentence": """
        Calculation, materials and construction of {topic} are treated in one volume.
        {number} case studies show why {topic} fail and what engineers learned from it.
        Stress, strain and fatigue are introduced with the example of {topic}.
        On the building site in {place} the drawings changed more than once, for instructive reasons.
        Tables of steel sections, tolerances and safety factors fill the appendix.
        The history of {topic} is told through the machines themselves, with cutaway drawings.
        From foundation to final inspection the work on {topic} is described step by step.
        Mechanics and technicians will value the chapters on {topic} and maintenance.
        How much load can it bear? For {topic} as for {topic}, the answer begins with a sketch of forces.
        Standards have changed since {topic} were first built, and the book compares old and new practice.
        The authors measured vibration, wear and heat in {topic} over {time}.
        What looks like {theme} from afar proves, at close range, to be a question of steel and concrete.
    """,
}

HISTORY = {
    "topic": """
        the salt roads | a forgotten rebellion | trade across the steppe | the old city walls
        medieval guilds | the coming of the railway | peasants and landlords | empire and province
        plague years | the temple archives | river towns | the long peace | seafarers and charts
        court and village | the border wars | migration | letters from the front | the fall of a dynasty
    """,
    "source": """
        parish registers | court records | travellers' reports | tax rolls | private letters | inscriptions
        old maps | excavation reports | chronicles | newspapers of the time
    """,
    "noun": "empire | wall | road | archive | dynasty | revolt | treaty | border | chronicle | city",
    "title": """
        {topic} | A history of {place} | The {adj} {noun} | The {noun} and the {thing}
        {place}, {year1} to {year2} | Living with {topic} | {noun} and {noun} | The age of {topic}
        Voices from {place} | The end of the {adj} {noun} | {topic} reconsidered | A {adj} {thing}
        The making of {place}
    """,
    "year1": "1420 | 1516 | 1644 | 1688 | 1720 | 1755 | 1793",
    "year2": "1815 | 1848 | 1871 | 1899 | 1911 | 1926 | 1938",
    "subtitle": """
        {year1} to {year2} | A history | Everyday life in {place} | From {source} and {source}
        Power and memory in {place}
    """,
    "sentence": """
        Drawing on {source} and {source}, the historian reconstructs {topic} in {place}.
        Between {year1} and {year2} the region changed rulers {number} times, and ordinary people paid for it.
        The book follows {topic} from its beginnings to the eve of the modern age.
        {source} found in {place} throw new light on {topic}.
        Soldiers, merchants and monks appear as they do in the {source}: briefly, and in their own words.
        Why did {topic} matter so much to those who ruled? The sources give several answers.
        {topic} and {topic} are told as one story, from the conquest to the treaty of {year2}.
        A chronology, {number} maps and a genealogy of the ruling houses help with orientation.
        The archives of {place} were closed for {time}; this is the first study to use them.
        Memory is not the same as history, and the last chapter asks what became of {topic}.
        In the shadow of empire, politics reached even {theme}.
        Kings come and go in these pages; what remains is the memory of {topic}.
    """,
}

ECONOMICS = {
    "topic": """
        prices and wages | household debt | family firms | the price of housing | trade and tariffs
        taxes and transfers | central banks | the labour market | start-up finance | market design
        public goods | supply chains | inflation | small businesses | bookkeeping | negotiation | pensions
        the cost of waiting | brand and customer
    """,
    "noun": "market | price | wage | firm | debt | budget | money | bank | trade | ledger",
    "title": """
        {topic} | The {adj} {noun} | {noun} and {noun} | The economics of {topic} | Rethinking {topic}
        Managing {topic} | Who pays for {topic}? | The {noun} and the {thing} | A short guide to {topic}
        {number} rules for {topic} | {topic} in {place} | After the {noun} | Good {noun}, bad {noun}
    """,
    "subtitle": """
        A guide for managers | How markets work | Evidence from {place} | From {topic} to {topic}
        An economic essay | Strategy for lean years
    """,
    "sentence": """
        Using data on {topic} from {place}, the author shows how incentives shape decisions.
        What does {topic} cost, and who pays? The book does the sums.
        {number} firms were interviewed about {topic}, and their answers contradict the textbook.
        Supply, demand and expectations explain much of {topic}, yet not all of it.
        Managers will find check-lists for {topic}, from the first budget to the annual accounts.
        The crisis began with {topic} and ended in {topic}; the policy lessons are drawn in the final part.
        Growth, income and inequality over {time} are shown in charts that speak for themselves.
        Good policy on {topic} needs better figures than we have, the economist argues.
        An entrepreneur's view of {topic}: margins, customers, cash and credit.
        The second half applies the model to {topic} and compares {number} countries.
        There is a price even for {theme}, and it follows the same laws.
        Why do investors misjudge {topic}? Risk is only half of the answer.
    """,
}
